/**
 * The wall: tiles in their places, page by page. It draws changes at most once a frame, and ages and lines once a second.
 */

import { History } from "../client/history.js";
import { byId } from "../page/dom.js";
import { Announcer } from "./announcer.js";
import { expandTiles, heroOf, sortNames } from "./configuration.js";
import { Controls } from "./controls.js";
import { Display } from "./display.js";
import { Header } from "./header.js";
import { Places } from "./places.js";
import { Scores } from "./score.js";
import { isUrgent } from "./summary.js";
import { Tile } from "./tile.js";

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
  /** The names of the streams for which the tiles were made. @type {string|null} */
  #names = null;
  /** Streams whose tiles are to be updated; null: all. @type {Set<string>|null} */
  #dirty = null;
  /** Tiles of other pages whose streams changed: they are updated once a second. @type {Set<Tile>} */
  #later = new Set();
  #frame = 0;
  #second;
  #observer;
  #places;
  #scores = new Scores(byId("tiles"));
  /** The kinds and the hero for which the places were made: a new value may need another kind of tile, with another size. */
  #kinds = "";
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
    this.#places = new Places(configuration.rotate);
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
    for (const part of [this.#history, this.#header, this.#controls, this.#display, this.#places, this.#scores]) part.close();
    this.#observer.disconnect();
    clearInterval(this.#second);
    cancelAnimationFrame(this.#frame);
    for (const tile of this.#all()) tile.remove();
  }

  /** How many pages there are. @returns {number} */
  get pages() {
    return this.#places.pages;
  }

  /** Show another wall, whose streams the link reads as well. @param {import("./configuration.js").WallConfiguration} configuration */
  change(configuration) {
    this.#configuration = configuration;
    this.#header.change(configuration);
    this.#display.change(configuration.theme);
    this.#places.close();
    this.#places = new Places(configuration.rotate);
    for (const tile of this.#all()) tile.remove();
    this.#tiles = new Map();
    this.#names = null;
    this.#schedule();
  }

  /** Draw everything anew, because the room has changed. */
  arrange() {
    this.#schedule();
  }

  /** Show the next page. @param {number} [step] how many pages to go forward */
  page(step = 1) {
    this.#places.turn(step);
    this.#schedule();
  }

  // -- streams and tiles -------------------------------------------------------------------------------------------------------

  /** All streams; the streams of the last picture until the server has answered. */
  #streams() {
    return this.#link.at === null && this.#last ? this.#last.streams : this.#link.streams;
  }

  /** A tile's streams; blank ones for names without a stream. @returns {Stream[]} */
  #streamsOf({ names }, streams) {
    return names.map((name) => streams.get(name) ?? { name, description: {}, health: {}, seq: 0, missed: 0 });
  }

  /** The facts that all tiles draw with: the time, the connection and the language. @returns {Picture} */
  #picture() {
    const { status, journal, tick = 5, lostSince: lost } = this.#link;
    const { language, timezone } = this.#configuration;
    return { status, journal, tick, lost, now: this.#link.now(), history: this.#history, language, timezone };
  }

  /** All tiles, in the order of the page. */
  #all() {
    return [...this.#tiles.values()].map(({ tile }) => tile);
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
      if (dirty && !moved && !spec.names.some((name) => dirty.has(name))) continue;
      if (dirty && !moved && tile.hidden) this.#later.add(tile);
      else tile.update(spec, this.#streamsOf(spec, streams), picture);
    }
    this.#summarize();
    const { tiles, groups = [] } = this.#configuration;
    const specs = new Map([...this.#tiles].map(([key, { spec }]) => [key, spec]));
    const hero = heroOf(tiles, specs, streams);
    const kinds = [hero, ...this.#all().map(({ kind }) => kind?.name)].join();
    moved ||= kinds !== this.#kinds;
    this.#kinds = kinds;
    if (dirty && !moved) return;
    this.#arrange(this.#tiles.get(hero ?? "")?.tile);
    this.#drawLines(picture);
    // A tile that was hidden until now has no evidence yet, such as the number of its rows without room.
    for (const { tile, spec } of this.#tiles.values()) if (!tile.hidden) tile.judge(this.#streamsOf(spec, streams), picture);
  }

  /** Once a second: states, ages, lines and pages. */
  #tick() {
    // A busy browser may owe a frame. The states are those of the values that came, so these are drawn first.
    if (this.#frame) {
      cancelAnimationFrame(this.#frame);
      this.#draw();
    }
    const picture = this.#picture();
    const streams = this.#streams();
    for (const { tile, spec } of this.#tiles.values()) {
      const all = this.#streamsOf(spec, streams);
      if (this.#later.has(tile)) tile.update(spec, all, picture);
      else tile.judge(all, picture);
    }
    if (this.#later.size) this.#schedule([]); // one of them may need another kind of tile now
    this.#later.clear();
    this.#drawLines(picture);
    this.#summarize();
    if (this.#places.rotate()) this.#schedule();
    this.#controls.update();
    this.#display.update();
  }

  /** Give all tiles their places, and find the scores (tiles that share an axis of time). @param {Tile} [hero] */
  #arrange(hero) {
    const [tiles, { groups = [] }] = [[...this.#tiles.values()], this.#configuration];
    this.#places.arrange(tiles, groups, hero);
    const { boxes, unit } = this.#places;
    this.#scores.arrange(tiles.map(({ tile, spec }) => ({ spec, box: boxes.get(tile) ?? null })), groups, unit);
  }

  #drawLines(picture) {
    const streams = this.#streams();
    this.#scores.draw(streams, picture);
    for (const { tile, spec } of this.#tiles.values()) if (!tile.hidden) tile.draw(this.#streamsOf(spec, streams), picture);
  }

  #summarize() {
    const tiles = this.#all();
    const { page, pages, width, scrolls } = this.#places;
    this.#header.update({ page, pages, width, scrolls, urgent: isUrgent(tiles.map(({ assessment }) => assessment)), empty: !tiles.length, tiles });
    this.#announcer.update(tiles, this.#configuration);
  }

  // -- places ------------------------------------------------------------------------------------------------------------------

  /**
   * Make the tiles that the configuration has for these streams.
   * @returns {boolean} whether any tile was added, removed or moved
   */
  #gather(streams) {
    const names = [...streams.keys()].join();
    if (names === this.#names) return false;
    this.#names = names;
    const { tiles: wanted, order } = this.#configuration;
    const specs = expandTiles(wanted, sortNames([...streams.keys()], order));
    const now = [...this.#tiles].map(([key, { spec }]) => [key, ...spec.names].join());
    if (now.length === specs.size && [...specs].every(([key, { names }], i) => [key, ...names].join() === now[i])) return false;
    const tiles = new Map([...specs].map(([key, spec]) => [key, { tile: this.#tiles.get(key)?.tile ?? new Tile(), spec }]));
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
}
