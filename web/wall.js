/**
 * The wall: one tile a stream, and above them how the link does. It draws at most once a frame, and what it says about time once a second.
 */

import { clock, cut, duration } from "./format.js";
import { layout } from "./layout.js";
import { Tile, mark, style, write } from "./tile.js";

/** Numerals have room for at least so many characters, so that they keep their size while they count. */
const ROOM = 5;
/** What the summary counts, and how it calls it. */
const COUNTED = [["failed", "failed"], ["late", "late"], ["waiting", "waiting"]];
const LEVELS = [["critical", "critical"], ["warn", "warning"]];

export class Wall {
  /** @type {Map<string, Tile>} in the order of the page */
  #tiles = new Map();
  #document;
  #link;
  #part;
  /** Names of tiles to draw; null: all. @type {Set<string>|null} */
  #dirty = null;
  #frame = 0;
  #second;
  #observer;
  /** @type {import("./layout.js").Place} */
  #place = layout(1, { width: 0, height: 0 }, { width: 0, height: 0 });
  /** What the server refused, last. */
  #refused = "";
  #leave = new AbortController();

  /**
   * @param {Document} document  with the elements of index.html
   * @param {import("./streamd.js").Link} link
   */
  constructor(document, link) {
    this.#document = document;
    this.#link = link;
    this.#part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
    const on = (target, type, listener) => target.addEventListener(type, listener, { signal: this.#leave.signal });
    on(link, "change", ({ detail }) => this.#draw(detail.names));
    for (const type of ["link", "journal"]) on(link, type, () => this.#draw());
    on(link, "error", ({ detail }) => {
      this.#refused = `${detail.code}: ${detail.message}`;
      this.#draw();
    });
    this.#observer = new ResizeObserver(() => this.#draw());
    this.#observer.observe(document.documentElement);
    this.#second = setInterval(() => this.#draw(), 1000);
    write(this.#part("host"), document.location.host);
    write(this.#part("curl"), `curl -d 42 ${document.location.origin}/streams/orders`);
    this.#draw();
  }

  /** Leave nothing behind. */
  close() {
    this.#leave.abort();
    this.#observer.disconnect();
    clearInterval(this.#second);
    cancelAnimationFrame(this.#frame);
  }

  /** Draw before the next frame: these tiles, or all. */
  #draw(names) {
    if (!names) this.#dirty = null;
    else for (const name of names) this.#dirty?.add(name);
    this.#frame ||= requestAnimationFrame(() => this.#show());
  }

  #show() {
    const dirty = this.#dirty;
    this.#dirty = new Set();
    this.#frame = 0;
    const { status, journal, streams } = this.#link;
    const now = this.#link.now();
    const moved = this.#gather(together([...streams.keys()]));
    this.#head(now);
    if (!dirty || moved) this.#arrange();
    const picture = { status, journal, now, brief: this.#place.density === "dense" };
    for (const [name, tile] of this.#tiles) {
      if (!dirty || dirty.has(name) || !tile.view) tile.update(streams.get(name), picture);
    }
    this.#size();
    this.#sum();
  }

  /** One tile for each name, in this order. @returns {boolean} whether any came, went or moved */
  #gather(names) {
    const now = [...this.#tiles.keys()];
    if (now.length === names.length && now.every((name, i) => name === names[i])) return false;
    const tiles = new Map(names.map((name) => [name, this.#tiles.get(name) ?? new Tile(this.#document)]));
    for (const [name, { element }] of this.#tiles) if (!tiles.has(name)) element.remove();
    let next = null;
    for (const { element } of [...tiles.values()].reverse()) {
      if (!element.parentNode || element.nextSibling !== next) this.#part("tiles").insertBefore(element, next);
      next = element;
    }
    this.#tiles = tiles;
    return true;
  }

  #head(now) {
    const { status, journal } = this.#link;
    const lost = status === "lost" || status === "connecting" || status === "closed";
    mark(this.#document.body, "link", lost ? "lost" : status);
    const since = this.#link.lostSince ?? now;
    const never = this.#link.at === null;
    write(this.#part("lost"), `${never ? "Not connected since" : "Connection lost"} ${clock(since, now)}`);
    write(this.#part("lasting"), duration(now - since, 2));
    write(this.#part("clock"), clock(now, now));
    const title = `${lost ? "✕ " : ""}${this.#document.location.host} · streamd`;
    if (this.#document.title !== title) this.#document.title = title;
    if (lost) this.#refused = "";
    const deaf = journal.state === "away" ? `The server cannot hear what is new${journal.error ? `: ${journal.error}` : ""}` : "";
    write(this.#part("notice"), cut(lost ? "" : deaf || this.#refused, 300));
    this.#part("empty").hidden = status !== "live" || this.#tiles.size > 0;
  }

  #arrange() {
    const { documentElement: root, body, defaultView: window } = this.#document;
    const screen = { width: root.clientWidth, height: window.innerHeight };
    const top = this.#part("tiles").getBoundingClientRect().top + window.scrollY;
    const notice = this.#part("notice").offsetHeight;
    this.#place = layout(this.#tiles.size, { width: screen.width, height: screen.height - top - notice }, screen);
    mark(body, "density", this.#place.density);
    style(body, "--u", `${this.#place.unit}px`);
    style(body, "--columns", this.#place.columns);
    style(body, "--height", `${this.#place.height}px`);
    style(body, "--lines", this.#place.lines);
  }

  /** Numbers in a row share one size; a word may be smaller. */
  #size() {
    const tiles = [...this.#tiles.values()];
    for (let i = 0; i < tiles.length; i += this.#place.columns) {
      const row = tiles.slice(i, i + this.#place.columns);
      const numbers = row.filter((tile) => tile.number);
      const room = {
        numeral: Math.max(ROOM, ...numbers.map((tile) => tile.width.numeral)),
        unit: Math.max(0, ...numbers.map((tile) => tile.width.unit)),
      };
      for (const tile of row) tile.fit(room);
    }
  }

  #sum() {
    const views = [...this.#tiles.values()].map((tile) => tile.view);
    const count = (key, value) => views.filter((view) => view?.[key] === value).length;
    const parts = [
      ...LEVELS.map(([level, word]) => [count("level", level), word]),
      ...COUNTED.map(([state, word]) => [count("state", state), word]),
    ];
    const words = parts.filter(([number]) => number).map(([number, word]) => `${number} ${word}`);
    write(this.#part("summary"), [`${views.length} ${views.length === 1 ? "stream" : "streams"}`, ...words].join(" · "));
  }
}

/** Names in their order, but those with the same first part (up to a dot) together, where the first of them is. */
export function together(names) {
  const groups = new Map();
  for (const name of names) {
    const prefix = name.split(".", 1)[0];
    if (!groups.has(prefix)) groups.set(prefix, []);
    groups.get(prefix).push(name);
  }
  return [...groups.values()].flat();
}
