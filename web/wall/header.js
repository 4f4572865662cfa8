/** The texts above and below the tiles: title, clock, the link's fuse, the band of a lost link, and the notice. */

import { SILENCE } from "../client/connection.js";
import { connected } from "../client/health.js";
import { byId, setData, setText } from "../page/dom.js";
import { clock, cut, duration } from "../text/format.js";
import { Fuse } from "./fuse.js";
import { askRefusal } from "./refusal.js";

/** Seconds between two ticks, until the server has said. */
const TICK = 5;
/** The most characters of the notice. */
const LONGEST_NOTICE = 300;
/** Seconds for which a refusal is the newest word of the server: attempts come more often. */
const REFUSED_FOR = 30;
/** Seconds between two questions why there is no connection. */
const ASK_EVERY = 10;

/**
 * @typedef {object} Outline  of the wall below
 * @property {number} page  from 0
 * @property {number} pages
 * @property {boolean} urgent  whether any tile is critical
 * @property {boolean} empty  whether there are no tiles
 */

export class Header {
  #link;
  #configuration;
  #last;
  #fuse = new Fuse(byId("fuse"), byId("expiry"));
  /** The server's latest refusal, and when it came. */
  #refused = { text: "", at: -Infinity };
  /** Why the server refuses this page's WebSocket, or why nothing reaches it; empty: not known. */
  #foreign = "";
  #asked = -Infinity;
  #abort = new AbortController();

  /**
   * @param {import("../client/link.js").Link} link
   * @param {import("./configuration.js").WallConfiguration} configuration
   * @param {import("./last-picture.js").LastPicture|null} last  shown until the server answers
   */
  constructor(link, configuration, last) {
    this.#link = link;
    this.#configuration = configuration;
    this.#last = last;
    const { signal } = this.#abort;
    for (const type of ["link", "tick"]) link.addEventListener(type, () => this.#proved(), { signal });
    link.addEventListener("error", (/** @type {any} */ { detail }) => {
      this.#refused = { text: detail.message, at: seconds() };
    }, { signal });
    link.addEventListener("link", () => {
      if (link.status === "live") this.#refused.text = "";
      void this.#ask();
    }, { signal });
    const { name, title } = configuration;
    // The wall of a server without configuration is called "all"; the server's address tells more.
    setText(byId("title"), name === title && name === "all" ? document.location.host : title);
    setText(byId("curl"), `curl -d 42 ${document.location.origin}/streams/orders`);
  }

  close() {
    this.#abort.abort();
    this.#fuse.out();
  }

  /** Write the texts for this moment. @param {Outline} outline */
  update({ page, pages, urgent, empty }) {
    const { status } = this.#link;
    const now = this.#link.now();
    const lost = !connected(status);
    setData(document.body, "link", lost ? "lost" : status);
    if (lost) this.#lose(now);
    setText(byId("clock"), clock(now, now));
    setText(byId("pages"), pages > 1 ? `${page + 1} of ${pages}` : "");
    const title = `${lost ? "✕ " : urgent ? "■ " : ""}${byId("title").textContent} · streamd`;
    if (document.title !== title) document.title = title;
    setText(byId("notice"), cut(lost ? this.#reason() : this.#notice(), LONGEST_NOTICE));
    byId("empty").hidden = status !== "live" || !empty;
  }

  #lose(now) {
    this.#fuse.out();
    if (seconds() - this.#asked > ASK_EVERY) void this.#ask();
    const since = this.#link.lostSince ?? now;
    setText(byId("lost"), this.#lossText(since, now));
    setText(byId("lasting"), `${duration(now - since, 2)}, trying again`);
  }

  #lossText(since, now) {
    if (this.#link.at !== null) return `Connection lost ${clock(since, now)}`;
    return this.#last ? `Picture of ${clock(this.#last.time, now)}` : `Not connected since ${clock(since, now)}`;
  }

  /** Why there is no connection, as far as it is known. */
  #reason() {
    const { text, at } = this.#refused;
    return (seconds() - at < REFUSED_FOR && text) || this.#foreign;
  }

  /** The most important text about more than one stream. */
  #notice() {
    const { state, error } = this.#link.journal;
    if (state === "away") return `The server cannot receive new values${error ? `: ${error}` : ""}`;
    return this.#foreign || this.#refused.text || (error ?? this.#configuration.note ?? "");
  }

  async #ask() {
    this.#asked = seconds();
    this.#foreign = await askRefusal();
  }

  /** A tick came, or the link came to life: light the fuse anew. */
  #proved() {
    const { tick = TICK, status } = this.#link;
    const now = this.#link.now();
    if (connected(status)) this.#fuse.burn({ from: now, span: SILENCE * tick }, now);
  }
}

/** Seconds on a clock that nobody sets. */
function seconds() {
  return performance.now() / 1000;
}
