/**
 * A stream's value in the text of any page:
 *
 *     <script type="module" src="http://wall.example:5000/stream-value.js"></script>
 *     <p>Orders today: <stream-value name="orders">…</stream-value></p>
 *
 * What is between the tags is shown until there is a value. `src` asks another server than the one that this module came from.
 * All elements of a page share one link to each server.
 *
 * For styles, `data-state` says whether the value can be believed: `current`, `waiting` (there is none yet), `late`, `failed`,
 * `unconfirmed` (the server cannot hear what is new), `catching-up` or `lost`; `data-level` is `ok`, `warn` or `critical`,
 * of a current value only; `data-link` is the link's status. What is not current is pale unless the page has another style for it.
 */

import { text } from "./format.js";
import { connect } from "./streamd.js";
import { knowledge } from "./view.js";
import { mark, write } from "./write.js";

/** What no server would take; one bad name would have it refuse all. */
const NAME = /^[A-Za-z0-9][\w.-]{0,127}$/;
/** How many streams can be asked for by name; beyond that, for all. */
const MOST = 32;

/** A stream of which nothing is known. @type {any} */
const NONE = { seq: 0, description: {}, health: {} };

const PALE = new CSSStyleSheet(); // which the strictest Content-Security-Policy allows
PALE.replaceSync(':host(:not([data-state="current"])) { opacity: 0.4 }');

export class StreamValue extends HTMLElement {
  static observedAttributes = ["name", "src"];

  /** @type {Shared|null} */
  #shared = null;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [PALE];
    root.append(document.createElement("slot"));
  }

  get name() {
    return this.getAttribute("name") ?? "";
  }

  connectedCallback() {
    const src = this.getAttribute("src");
    this.#shared = Shared.of(src ? new URL(src, document.baseURI) : new URL("ws", import.meta.url));
    this.#shared.add(this);
  }

  disconnectedCallback() {
    this.#shared?.remove(this);
    this.#shared = null;
  }

  attributeChangedCallback() {
    if (!this.#shared) return;
    write(this, "—"); // of another stream
    this.disconnectedCallback();
    this.connectedCallback();
  }

  /** The only thing that touches the page. @param {import("./streamd.js").Link} link */
  update(link) {
    const stream = link.streams.get(this.name);
    const state = knowledge(stream ?? NONE, { status: link.status, journal: link.journal, now: link.now(), tick: link.tick });
    if (stream?.seq) write(this, text(stream.value));
    else if (link.status === "live") write(this, "—");
    mark(this, "state", state);
    mark(this, "link", link.status);
    mark(this, "level", state === "current" ? stream?.health.level ?? "ok" : undefined);
  }
}

/** The link of all elements that ask the same server; it lasts as long as there are any. */
class Shared {
  /** @type {Map<string, Shared>} */
  static #all = new Map();

  /** @param {URL} url */
  static of({ href }) {
    const found = Shared.#all.get(href) ?? new Shared(href);
    Shared.#all.set(href, found);
    return found;
  }

  #url;
  /** @type {Set<StreamValue>} */
  #elements = new Set();
  /** @type {import("./streamd.js").Link|null} */
  #link = null;
  /** What the link was asked for; undefined: all. @type {string[]|undefined} */
  #names;
  #soon = false;

  /** @param {string} url */
  constructor(url) {
    this.#url = url;
  }

  /** @param {StreamValue} element */
  add(element) {
    this.#elements.add(element);
    this.#settle();
  }

  /** @param {StreamValue} element */
  remove(element) {
    this.#elements.delete(element);
    this.#settle();
  }

  /** Once for all that come and go in one go; who is only moved does not go. */
  async #settle() {
    if (this.#soon) return;
    this.#soon = true;
    await null;
    this.#soon = false;
    if (this.#elements.size) this.#ask();
    else this.#end();
  }

  #ask() {
    const wanted = [...new Set([...this.#elements].map(({ name }) => name))].filter((name) => NAME.test(name)).sort();
    const names = wanted.length > MOST ? undefined : wanted;
    if (!this.#link) this.#begin(names);
    else if (names?.join() !== this.#names?.join()) this.#link.select(names);
    this.#names = names;
    this.#update();
  }

  #begin(names) {
    this.#link = connect({ url: this.#url, streams: names });
    for (const type of ["link", "journal", "tick"]) this.#link.addEventListener(type, () => this.#update());
    this.#link.addEventListener("change", (/** @type {any} */ { detail }) => this.#update(new Set(detail.names)));
  }

  #end() {
    this.#link?.close();
    this.#link = null;
    Shared.#all.delete(this.#url);
  }

  /** @param {Set<string>} [names]  of the streams that changed; all when left out */
  #update(names) {
    for (const element of this.#elements) if (this.#link && (names?.has(element.name) ?? true)) element.update(this.#link);
  }
}

// A page may have taken it from two servers.
if (!customElements.get("stream-value")) customElements.define("stream-value", StreamValue);
