/**
 * The wall: tiles in their places, page by page. It draws changes at most once a frame, and ages and lines once a second.
 */

import { History } from "../client/history.js";
import { byId, setProperty, setText } from "../page/dom.js";
import { Announcer } from "./announcer.js";
import { expandTiles, sortNames } from "./configuration.js";
import { Controls } from "./controls.js";
import { Display } from "./display.js";
import { Header } from "./header.js";
import { layout, nextPage } from "./layout.js";
import { isUrgent, summaryOf } from "./summary.js";
import { Tile } from "./tile.js";

/** Numerals have room for at least this many characters, so that they keep their size while they count. */
const ROOM = 5;

/**
 * @typedef {import("../client/link.js").Stream} Stream
 * @typedef {import("../kinds/kind.js").Spec} Spec
 * @typedef {import("../kinds/kind.js").Picture} Picture
 */

export class Wall {
  #link;
  #configuration;
  #last;
  #history;
  #header;
  #controls;
  #display;
  #announcer = new Announcer();
  /** Tiles by the keys of expandTiles, in the order of the page. @type {Map<string, {tile: Tile, spec: Spec}>} */
  #tiles = new Map();
  /** The names of the streams that the tiles were made for. @type {string|null} */
  #names = null;
  /** Streams whose tiles are to be updated; null: all. @type {Set<string>|null} */
  #dirty = null;
  #frame = 0;
  #second;
  #observer;
  /** @type {import("./layout.js").Place} */
  #place = layout([], { width: 0, height: 0 }, { width: 0, height: 0 });
  /** The weights that the place was made for: another value may need another kind of tile, which takes more columns. */
  #weights = "";
  #page = 0;
  #turnedAt = 0;
  #abort = new AbortController();

  /**
   * @param {import("../client/link.js").Link} link
   * @param {import("./configuration.js").WallConfiguration} configuration
   * @param {import("./last-picture.js").LastPicture|null} [last]  shown until the server answers
   */
  constructor(link, configuration, last = null) {
    this.#link = link;
    this.#configuration = configuration;
    this.#last = last;
    this.#history = new History(link);
    this.#header = new Header(link, configuration, last);
    this.#controls = new Controls((step) => this.page(step));
    this.#display = new Display(configuration.theme);
    const { signal } = this.#abort;
    link.addEventListener("change", (/** @type {any} */ { detail }) => this.#schedule(detail.names), { signal });
    for (const type of ["link", "journal", "error"]) link.addEventListener(type, () => this.#schedule(), { signal });
    this.#observer = new ResizeObserver(() => this.#schedule());
    this.#observer.observe(document.documentElement);
    this.#second = setInterval(() => this.#tick(), 1000);
    this.#schedule();
  }

  /** Remove the tiles, and stop everything that runs. */
  close() {
    this.#abort.abort();
    for (const part of [this.#history, this.#header, this.#controls, this.#display]) part.close();
    this.#observer.disconnect();
    clearInterval(this.#second);
    cancelAnimationFrame(this.#frame);
    for (const tile of this.#all()) tile.remove();
  }

  /** Show the next page, or another one. @param {number} [step] */
  page(step = 1) {
    const pages = this.#place.pages.length;
    this.#page = (this.#page + step + pages) % pages;
    this.#turnedAt = performance.now();
    this.#schedule();
  }

  // -- streams and tiles -------------------------------------------------------------------------------------------------------

  /** All streams; those of the last picture until the server has answered. */
  #streams() {
    return this.#link.at === null && this.#last ? this.#last.streams : this.#link.streams;
  }

  /** A tile's streams. One that does not exist (yet) waits for its first value. @returns {Stream[]} */
  #streamsOf({ names }, streams) {
    return names.map((name) => streams.get(name) ?? { name, description: {}, health: {}, seq: 0, missed: 0 });
  }

  /** @returns {Picture} */
  #picture() {
    const { status, journal, tick = 5, lostSince: lost } = this.#link;
    return { status, journal, tick, lost, now: this.#link.now(), history: this.#history };
  }

  /** All tiles, in the order of the page. */
  #all() {
    return [...this.#tiles.values()].map(({ tile }) => tile);
  }

  #assessments() {
    return this.#all().map(({ assessment }) => assessment);
  }

  // -- drawing -----------------------------------------------------------------------------------------------------------------

  /** Draw before the next frame. @param {string[]} [names]  the streams that changed; left out: draw everything */
  #schedule(names) {
    if (!names) this.#dirty = null;
    else for (const name of names) this.#dirty?.add(name);
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const dirty = this.#dirty;
    this.#dirty = new Set();
    this.#frame = 0;
    const streams = this.#streams();
    const picture = this.#picture();
    let moved = this.#gather(streams);
    for (const { tile, spec } of this.#tiles.values()) {
      if (!dirty || moved || spec.names.some((name) => dirty.has(name))) tile.update(spec, this.#streamsOf(spec, streams), picture);
    }
    this.#summarize();
    const weights = this.#all().map(({ weight }) => weight).join();
    moved ||= weights !== this.#weights;
    this.#weights = weights;
    if (!dirty || moved) this.#arrange();
    this.#fit();
    if (!dirty || moved) this.#drawLines(picture);
  }

  /** Once a second: states, ages, lines and pages. */
  #tick() {
    const picture = this.#picture();
    const streams = this.#streams();
    for (const { tile, spec } of this.#tiles.values()) tile.judge(this.#streamsOf(spec, streams), picture);
    this.#drawLines(picture);
    this.#summarize();
    this.#rotate();
    this.#controls.update();
    this.#display.update();
  }

  #drawLines(picture) {
    const streams = this.#streams();
    for (const { tile, spec } of this.#tiles.values()) if (!tile.hidden) tile.draw(this.#streamsOf(spec, streams), picture);
  }

  #summarize() {
    const assessments = this.#assessments();
    setText(byId("summary"), summaryOf(assessments));
    this.#header.update({
      page: this.#page, pages: this.#place.pages.length, urgent: isUrgent(assessments), empty: !this.#tiles.size,
    });
    this.#announcer.update(this.#all());
  }

  // -- places ------------------------------------------------------------------------------------------------------------------

  /** Make the tiles that the configuration wants of these streams. @returns {boolean} whether any came, went or moved */
  #gather(streams) {
    const names = [...streams.keys()].join();
    if (names === this.#names) return false;
    this.#names = names;
    const { tiles: wanted, order } = this.#configuration;
    const specs = expandTiles(wanted, sortNames([...streams.keys()], order));
    const now = [...this.#tiles.keys()];
    if (now.length === specs.size && [...specs.keys()].every((key, i) => key === now[i])) return false;
    const tiles = new Map([...specs].map(([key, spec]) => [key, this.#tiles.get(key) ?? { tile: new Tile(), spec }]));
    for (const [key, { tile }] of this.#tiles) if (!tiles.has(key)) tile.remove();
    /** @type {Tile|null} */
    let next = null;
    for (const { tile } of [...tiles.values()].reverse()) {
      if (!tile.parentNode || tile.nextSibling !== next) byId("tiles").insertBefore(tile, next);
      next = tile;
    }
    this.#tiles = tiles;
    this.#history.retain(streams);
    return true;
  }

  /** Give each tile of this page its place, and hide the others. */
  #arrange() {
    const root = document.documentElement;
    const screen = { width: root.clientWidth, height: window.innerHeight };
    const room = { width: screen.width, height: screen.height - byId("main").offsetTop - byId("notice").offsetHeight };
    const tiles = this.#all();
    this.#place = layout(tiles.map(({ weight }) => weight), room, screen);
    const { columns, height, unit, lines, pages } = this.#place;
    this.#page = Math.min(this.#page, pages.length - 1);
    const shown = new Set(pages[this.#page]?.flat());
    tiles.forEach((tile, i) => {
      tile.hidden = !shown.has(i);
      setProperty(tile, "--weight", Math.min(tile.weight, columns));
    });
    setProperty(document.body, "--u", `${unit}px`);
    setProperty(document.body, "--columns", columns);
    setProperty(document.body, "--height", `${height}px`);
    setProperty(document.body, "--lines", lines);
  }

  /** The numbers in a row share one size. A word may be smaller. */
  #fit() {
    const tiles = this.#all();
    for (const row of this.#place.pages[this.#page] ?? []) {
      const numerals = row.map((i) => tiles[i]?.numeral).filter((numeral) => !!numeral);
      const room = {
        numeral: Math.max(ROOM, ...numerals.map(({ numeral }) => numeral)),
        unit: Math.max(0, ...numerals.map(({ unit }) => unit)),
      };
      for (const i of row) tiles[i]?.fit(room);
    }
  }

  /** Turn to the next page when its time has come. */
  #rotate() {
    const { pages } = this.#place;
    if (pages.length < 2 || performance.now() - this.#turnedAt < this.#configuration.rotate * 1000) return;
    const tiles = this.#all();
    const critical = pages.map((page) => page.flat().some((i) => tiles[i]?.assessment?.level === "critical"));
    const next = nextPage(this.#page, critical);
    if (next !== this.#page) this.page(next - this.#page);
  }
}
