/**
 * A stream's value in the text of any page:
 *
 *     <script type="module" src="http://wall.example:5000/stream-value.js"></script>
 *     <p>Orders today: <stream-value name="orders">…</stream-value></p>
 *
 * The text between the tags is shown until a value arrives. `src` names another server than the one that this module came from.
 * Words and formats of the stream count, and numbers are written in the language of the page (`lang`), or else of the browser.
 * All elements of a page share one link to each server.
 *
 * For style sheets, `data-state` says whether the value is current: `current`, `waiting` (no value yet), `late`, `failed`,
 * `unconfirmed` (the server cannot read new values), `catching-up` or `lost`. `data-level` is `ok`, `warn` or `critical`, and is
 * set for current values only. `data-link` is the link's status. A value that is not current is pale unless the page restyles it.
 */

import { setData, setText } from "../page/dom.js";
import { text } from "../text/format.js";
import { isName } from "../text/names.js";
import { inline, wordOf } from "../text/values.js";
import { stateOf } from "./health.js";
import { connect } from "./link.js";

/** How many names and globs a server accepts in one request. With more names the link asks for all streams. */
const MOST = 32;

/** A stream about which nothing is known. @type {any} */
const UNKNOWN = { seq: 0, description: {}, health: {} };

const PALE = new CSSStyleSheet(); // a constructed sheet passes the strictest Content-Security-Policy
PALE.replaceSync(':host(:not([data-state="current"])) { opacity: 0.4 }');

export class StreamValue extends HTMLElement {
  static observedAttributes = ["name", "src"];

  /** @type {SharedLink|null} */
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
    this.#shared = SharedLink.of(src ? new URL(src, document.baseURI) : new URL("../ws", import.meta.url));
    this.#shared.add(this);
  }

  disconnectedCallback() {
    this.#shared?.remove(this);
    this.#shared = null;
  }

  attributeChangedCallback() {
    if (!this.#shared) return;
    setText(this, "—"); // the old text belongs to another stream
    this.disconnectedCallback();
    this.connectedCallback();
  }

  /**
   * The value by its word or format, in the language of the page. The page writes the unit of a plain number, and scripts read true.
   * @param {import("./link.js").Stream} stream
   * @param {number} now
   */
  #text({ value, description }, now) {
    const place = { now, language: this.closest("[lang]")?.getAttribute("lang") ?? undefined };
    if (typeof value === "boolean" && wordOf(value, description) === null) return text(value, place);
    return inline(value, { ...description, unit: undefined }, place);
  }

  /** Write the stream's value and state into the page; no other method writes. @param {import("./link.js").Link} link */
  update(link) {
    const stream = link.streams.get(this.name);
    const state = stateOf(stream ?? UNKNOWN, { status: link.status, journal: link.journal, now: link.now(), tick: link.tick });
    if (stream?.seq) setText(this, this.#text(stream, link.now()));
    else if (link.status === "live") setText(this, "—");
    setData(this, "state", state);
    setData(this, "link", link.status);
    setData(this, "level", state === "current" ? stream?.health.level ?? "ok" : undefined);
  }
}

/** The link of all elements of one server. It is closed when the last element is removed. */
class SharedLink {
  /** @type {Map<string, SharedLink>} */
  static #all = new Map();

  /** The link to this server, new or in use. @param {URL} url @returns {SharedLink} */
  static of({ href }) {
    const found = SharedLink.#all.get(href) ?? new SharedLink(href);
    SharedLink.#all.set(href, found);
    return found;
  }

  #url;
  /** @type {Set<StreamValue>} */
  #elements = new Set();
  /** @type {import("./link.js").Link|null} */
  #link = null;
  /** The selection of the link; undefined: all streams. @type {string[]|undefined} */
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

  /**
   * Select streams once for all elements that are added and removed in one task. A moved element is removed and added in the same
   * task.
   */
  async #settle() {
    if (this.#soon) return;
    this.#soon = true;
    await null;
    this.#soon = false;
    if (this.#elements.size) this.#ask();
    else this.#end();
  }

  #ask() {
    // One bad name would make the server refuse the whole request.
    const wanted = [...new Set([...this.#elements].map(({ name }) => name))].filter(isName).sort();
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
    SharedLink.#all.delete(this.#url);
  }

  /** Write the elements that show some streams. @param {Set<string>} [names]  the streams that changed; left out: all */
  #update(names) {
    for (const element of this.#elements) if (this.#link && (names?.has(element.name) ?? true)) element.update(this.#link);
  }
}

// A page may load this module from two servers.
if (!customElements.get("stream-value")) customElements.define("stream-value", StreamValue);
