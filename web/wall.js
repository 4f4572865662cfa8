/**
 * The wall: tiles in their places, page by page, and above them how the link does. It draws what changed at most once a frame, and
 * what time does once a second.
 */

import { clock, cut, duration } from "./format.js";
import { Fuse } from "./fuse.js";
import { Histories } from "./histories.js";
import { layout } from "./layout.js";
import { SILENCE } from "./line.js";
import { planned } from "./plan.js";
import { Tile } from "./tile.js";
import { mark, style, write } from "./write.js";

/** Numerals have room for at least so many characters, so that they keep their size while they count. */
const ROOM = 5;
/** What the summary counts, and how it calls it. */
const COUNTED = [["level", "critical", "critical"], ["level", "warn", "warning"], ["state", "failed", "failed"], ["state", "late", "late"], ["state", "waiting", "waiting"]];
/** Seconds between two things that are said aloud. */
const SAY_EVERY = 10;
/** Against burn-in the whole picture moves by two pixels every so many seconds. */
const SHIFT_EVERY = 600;
const SHIFTS = [[0, 0], [2, 0], [2, 2], [0, 2]];
/** Seconds without a movement after which the mouse's arrow is hidden. */
const IDLE = 3;

/** @typedef {import("./plan.js").Plan} Plan */

export class Wall {
  /** Whether anybody should look. @type {boolean} */
  urgent = false;

  #link;
  #plan;
  #histories;
  #stored;
  /** Tiles by what they show, in the order of the page. @type {Map<string, {tile: Tile, spec: import("./tile.js").Spec}>} */
  #tiles = new Map();
  #part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
  /** Names whose tiles are to be drawn; null: all. @type {Set<string>|null} */
  #dirty = null;
  #frame = 0;
  #second;
  #observer;
  #fuse;
  /** @type {import("./layout.js").Place} */
  #place = layout([], { width: 0, height: 0 }, { width: 0, height: 0 });
  /** Of all tiles: a stream whose value becomes a list takes two columns. */
  #weights = "";
  #page = 0;
  #turned = 0;
  #said = { at: -Infinity, words: "" };
  #moved = 0;
  /** What the server refused, last. */
  #refused = "";
  #leave = new AbortController();

  /**
   * @param {import("./streamd.js").Link} link
   * @param {Plan} plan
   * @param {import("./stored.js").Stored|null} [stored]  the picture of the last time
   */
  constructor(link, plan, stored = null) {
    this.#link = link;
    this.#plan = plan;
    this.#stored = stored;
    this.#histories = new Histories(link);
    const { signal } = this.#leave;
    const on = (target, type, listener) => target.addEventListener(type, listener, { signal });
    on(link, "change", ({ detail }) => this.#draw(detail.names));
    for (const type of ["link", "journal"]) on(link, type, () => this.#draw());
    for (const type of ["link", "tick"]) on(link, type, () => this.#breathe());
    on(link, "error", ({ detail }) => {
      this.#refused = `${detail.code}: ${detail.message}`;
      this.#draw();
    });
    on(document, "keydown", (event) => this.#key(event));
    on(document, "click", () => this.#fill());
    on(document, "mousemove", () => (this.#moved = performance.now()));
    on(matchMedia("(prefers-color-scheme: light)"), "change", () => this.#theme());
    this.#observer = new ResizeObserver(() => this.#draw());
    this.#observer.observe(document.documentElement);
    this.#second = setInterval(() => this.#turn(), 1000);
    this.#fuse = new Fuse(this.#part("fuse"), this.#part("expiry"));
    write(this.#part("title"), plan.name === plan.title && plan.name === "all" ? document.location.host : plan.title);
    write(this.#part("curl"), `curl -d 42 ${document.location.origin}/streams/orders`);
    this.#theme();
    this.#draw();
  }

  /** Leave nothing behind. */
  close() {
    this.#leave.abort();
    this.#histories.close();
    this.#observer.disconnect();
    this.#fuse.out();
    clearInterval(this.#second);
    cancelAnimationFrame(this.#frame);
    for (const tile of this.#all()) tile.remove();
  }

  /** The page after this one, or before. @param {number} [step] */
  page(step = 1) {
    const pages = this.#place.pages.length;
    this.#page = (this.#page + step + pages) % pages;
    this.#turned = performance.now();
    this.#draw();
  }

  // -- drawing -----------------------------------------------------------------------------------------------------------------

  /** Draw before the next frame: tiles of these streams, or all. @param {string[]} [names] */
  #draw(names) {
    if (!names) this.#dirty = null;
    else for (const name of names) this.#dirty?.add(name);
    this.#frame ||= requestAnimationFrame(() => this.#show());
  }

  /** The streams as they are known: those of the last time while there was no other. */
  #known() {
    return this.#link.at === null && this.#stored ? this.#stored.streams : this.#link.streams;
  }

  /** The tiles, in the order of the page. */
  #all() {
    return [...this.#tiles.values()].map(({ tile }) => tile);
  }

  #picture() {
    const { status, journal, tick = 5, lostSince: lost } = this.#link;
    return { status, journal, tick, lost, now: this.#link.now(), histories: this.#histories };
  }

  #show() {
    const dirty = this.#dirty;
    this.#dirty = new Set();
    this.#frame = 0;
    const streams = this.#known();
    const picture = this.#picture();
    let moved = this.#gather(streams);
    for (const { tile, spec } of this.#tiles.values()) {
      if (!dirty || moved || spec.names.some((name) => dirty.has(name))) tile.update(spec, this.#of(spec, streams), picture);
    }
    this.#head(picture);
    const weights = this.#all().map(({ weight }) => weight).join();
    moved ||= weights !== this.#weights;
    this.#weights = weights;
    if (!dirty || moved) this.#arrange();
    this.#size();
    this.#sum();
    if (!dirty || moved) this.#charts(picture);
  }

  /** Once a second. */
  #turn() {
    const picture = this.#picture();
    const streams = this.#known();
    for (const { tile, spec } of this.#tiles.values()) tile.judge(this.#of(spec, streams), picture);
    this.#head(picture);
    this.#sum();
    this.#charts(picture);
    this.#rotate();
    const idle = performance.now() - this.#moved > IDLE * 1000;
    mark(document.body, "idle", idle ? "yes" : "no");
    const [x, y] = SHIFTS[Math.floor(performance.now() / 1000 / SHIFT_EVERY) % SHIFTS.length];
    style(document.body, "--shift", `${x}px ${y}px`);
  }

  #charts(picture) {
    const streams = this.#known();
    for (const { tile, spec } of this.#tiles.values()) if (!tile.hidden) tile.draw(this.#of(spec, streams), picture);
  }

  #of({ names }, streams) {
    return names.map((name) => streams.get(name) ?? { name, description: {}, health: {}, seq: 0, missed: 0 });
  }

  /** A tile for each that the plan names. @returns {boolean} whether any came, went or moved */
  #gather(streams) {
    const specs = planned(this.#plan.tiles, [...streams.keys()]);
    const now = [...this.#tiles.keys()];
    if (now.length === specs.size && [...specs.keys()].every((key, i) => key === now[i])) return false;
    const tiles = new Map([...specs].map(([key, spec]) => [key, this.#tiles.get(key) ?? { tile: new Tile(), spec }]));
    for (const [key, { tile }] of this.#tiles) if (!tiles.has(key)) tile.remove();
    let next = null;
    for (const { tile } of [...tiles.values()].reverse()) {
      if (!tile.parentNode || tile.nextSibling !== next) this.#part("tiles").insertBefore(tile, next);
      next = tile;
    }
    this.#tiles = tiles;
    this.#histories.keep(streams);
    return true;
  }

  #head({ now, status, journal, lost: since }) {
    const lost = status !== "live" && status !== "catching-up";
    mark(document.body, "link", lost ? "lost" : status);
    if (lost) {
      this.#fuse.out();
      this.#refused = "";
      const picture = this.#stored && this.#link.at === null ? `Picture of ${clock(this.#stored.time, now)}` : "";
      write(this.#part("lost"), this.#link.at === null ? picture || `Not connected since ${clock(since ?? now, now)}` : `Connection lost ${clock(since ?? now, now)}`);
      write(this.#part("lasting"), `${duration(now - (since ?? now), 2)}, trying again`);
    }
    write(this.#part("clock"), clock(now, now));
    const pages = this.#place.pages.length;
    write(this.#part("pages"), pages > 1 ? `${this.#page + 1} of ${pages}` : "");
    const title = `${lost ? "✕ " : this.urgent ? "■ " : ""}${this.#part("title").textContent} · streamd`;
    if (document.title !== title) document.title = title;
    const deaf = journal.state === "away" ? `The server cannot hear what is new${journal.error ? `: ${journal.error}` : ""}` : "";
    write(this.#part("notice"), cut(lost ? "" : deaf || this.#refused || (journal.error ?? this.#plan.note ?? ""), 300));
    this.#part("empty").hidden = status !== "live" || this.#tiles.size > 0;
  }

  /** There was a tick, or the link came to life: it is proved. */
  #breathe() {
    const { tick = 5, status } = this.#link;
    const now = this.#link.now();
    if (status === "live" || status === "catching-up") this.#fuse.burn({ from: now, span: SILENCE * tick }, now);
  }

  #arrange() {
    const root = document.documentElement;
    const screen = { width: root.clientWidth, height: window.innerHeight };
    const [top, notice] = [this.#part("main").offsetTop, this.#part("notice").offsetHeight];
    const tiles = this.#all();
    this.#place = layout(tiles.map(({ weight }) => weight), { width: screen.width, height: screen.height - top - notice }, screen);
    const { columns, height, unit, lines, pages } = this.#place;
    this.#page = Math.min(this.#page, pages.length - 1);
    const shown = new Set(pages[this.#page]?.flat());
    tiles.forEach((tile, i) => {
      tile.hidden = !shown.has(i);
      style(tile, "--weight", Math.min(tile.weight, columns));
    });
    style(document.body, "--u", `${unit}px`);
    style(document.body, "--columns", columns);
    style(document.body, "--height", `${height}px`);
    style(document.body, "--lines", lines);
  }

  /** Numbers in a row share one size; a word may be smaller. */
  #size() {
    const bodies = this.#all().map(({ body }) => body);
    for (const row of this.#place.pages[this.#page] ?? []) {
      const numbers = row.map((i) => bodies[i]).filter((body) => body?.number);
      const room = {
        numeral: Math.max(ROOM, ...numbers.map(({ width }) => width.numeral)),
        unit: Math.max(0, ...numbers.map(({ width }) => width.unit)),
      };
      for (const i of row) bodies[i]?.fit(room);
    }
  }

  // -- what is said ------------------------------------------------------------------------------------------------------------

  #sum() {
    const tiles = this.#all();
    const counts = COUNTED.map(([key, value, word]) => [tiles.filter(({ view }) => view?.[key] === value).length, word]);
    const words = counts.filter(([count]) => count).map(([count, word]) => `${count} ${word}`);
    this.urgent = counts[0][0] > 0;
    write(this.#part("summary"), [`${tiles.length} ${tiles.length === 1 ? "tile" : "tiles"}`, ...words].join(" · "));
    this.#say();
  }

  /** For those who hear the wall: what needs somebody, when that changes, and not without end. */
  #say() {
    const now = performance.now() / 1000;
    const worrying = ({ view }) => view?.level === "critical" || view?.state === "failed";
    const words = this.#all().filter(worrying).slice(0, 5).map(({ called, view }) => `${called}: ${view?.evidence[0]}`).join(". ");
    if (words === this.#said.words || now - this.#said.at < SAY_EVERY) return;
    this.#said = { at: now, words };
    const well = this.#all().every(({ view }) => view?.state === "current");
    write(this.#part("aloud"), words || (well ? "All is well" : ""));
  }

  // -- pages, hands, eyes ------------------------------------------------------------------------------------------------------

  /** A page with a critical tile stays; of several, each in turn. */
  #rotate() {
    const { pages } = this.#place;
    if (pages.length < 2 || performance.now() - this.#turned < this.#plan.rotate * 1000) return;
    const tiles = this.#all();
    const critical = (page) => pages[page].flat().some((i) => tiles[i]?.view?.level === "critical");
    const any = pages.some((_, page) => critical(page));
    let next = (this.#page + 1) % pages.length;
    while (any && !critical(next)) next = (next + 1) % pages.length;
    if (next !== this.#page) this.page(next - this.#page);
  }

  #key({ key, ctrlKey, metaKey, altKey }) {
    if (ctrlKey || metaKey || altKey) return;
    if (key === "f") this.#fill();
    else if (key === "ArrowRight" || key === "PageDown") this.page();
    else if (key === "ArrowLeft" || key === "PageUp") this.page(-1);
  }

  /** The whole screen, or no longer; a selected text is not to be lost. */
  #fill() {
    if (!document.fullscreenEnabled || String(document.getSelection())) return;
    const done = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
    done.catch(() => {}); // the browser may not like it; nothing depends on it
  }

  #theme() {
    const { theme } = this.#plan;
    const light = theme === "light" || (theme === "auto" && matchMedia("(prefers-color-scheme: light)").matches);
    mark(document.documentElement, "theme", light ? "light" : "dark");
  }
}
