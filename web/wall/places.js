/** Puts the tiles and the headings of groups in their places, page by page. */

import { addElement, byId, setHidden, setProperty, setText } from "../page/dom.js";
import { layout, nextPage } from "./layout.js";

/**
 * The size for a tile whose kind is not known, because it has failed.
 * @type {Pick<import("../kinds/kind.js").Kind, "size"|"least">}
 */
const UNKNOWN = { size: "s", least: { width: 20, height: 13 } };
/** The free space below the tiles, in u. */
const FOOT = 1.6;

/**
 * @typedef {import("./tile.js").Tile} Tile
 * @typedef {import("./configuration.js").Group} GroupConfiguration
 * @typedef {import("./layout.js").Item & {tile: Tile}} Placed
 */

export class Places {
  /** The page that is shown, from 0. */
  page = 0;
  /** The width of the screen, in u; kept, because measuring costs a layout. */
  width = 100;
  /** The boxes of the tiles of this page, in u. @type {Map<Tile, import("../draw/score.js").Box>} */
  boxes = new Map();

  /** @type {import("./layout.js").Layout} */
  #layout = layout([], { width: 1, height: 1 });
  /** The inputs of the present layout, as text. */
  #made = "";
  /** @type {HTMLElement[]} */
  #headings = [];
  #turnedAt = 0;
  #seconds;

  /** @param {number} seconds  how long a page is shown */
  constructor(seconds) {
    this.#seconds = seconds;
  }

  get pages() {
    return this.#layout.pages.length;
  }

  /** Whether the page is a phone's, which scrolls. */
  get scrolls() {
    return this.#layout.scrolls;
  }

  /** How many pixels u has. */
  get unit() {
    return this.#layout.unit;
  }

  close() {
    for (const heading of this.#headings) heading.remove();
  }

  /**
   * Give each tile of this page its place, and hide the others.
   * @param {{tile: Tile, spec: import("../kinds/kind.js").Spec}[]} tiles  in order
   * @param {GroupConfiguration[]} groups
   * @param {Tile} [hero]  left out: the first chart, unless a hero is configured
   */
  arrange(tiles, groups, hero) {
    const root = document.documentElement;
    const screen = { width: root.clientWidth, height: window.innerHeight };
    const items = grouped(itemsOf(tiles, hero), tiles, groups);
    const made = JSON.stringify([items, screen], (key, value) => (key === "tile" ? undefined : value));
    if (made !== this.#made) this.#layout = layout(items, screen);
    this.#made = made;
    this.width = screen.width / this.#layout.unit;
    this.page = Math.min(this.page, this.pages - 1);
    setProperty(document.body, "--u", `${this.#layout.unit}px`);
    this.#put(tiles.map(({ tile }) => tile), this.#stretch(screen));
  }

  /** Show the page that is this many pages further. @param {number} [step] */
  turn(step = 1) {
    this.page = (this.page + step + this.pages) % this.pages;
    this.#turnedAt = performance.now();
  }

  /** Turn to the next page when its time has come. @returns {boolean} whether another page is shown */
  rotate() {
    if (this.pages < 2 || performance.now() - this.#turnedAt < this.#seconds * 1000) return false;
    const critical = this.#layout.pages.map((page) => page.some(({ item }) => "tile" in item && /** @type {Placed} */ (item).tile.assessment?.level === "critical"));
    const next = nextPage(this.page, critical);
    if (next === this.page) return false;
    this.turn(next - this.page);
    return true;
  }

  /** The factor by which rows are stretched: a band or a notice takes room, but moves no tile to another page. */
  #stretch(screen) {
    const { unit, scrolls, height } = this.#layout;
    if (scrolls) return 1;
    const room = screen.height - byId("main").offsetTop - byId("notice").offsetHeight - byId("line").offsetHeight - FOOT * unit;
    return Math.max(0.5, room / (height * unit));
  }

  #put(tiles, stretch) {
    const { unit, height } = this.#layout;
    this.boxes.clear();
    const headings = [];
    for (const { item, ...box } of this.#layout.pages[this.page]) {
      if ("items" in item) headings.push({ title: item.title, place: { ...box, y: box.y * stretch } });
      else {
        const { tile, size } = /** @type {Placed} */ (item);
        this.boxes.set(tile, { ...box, y: box.y * stretch, height: box.height * stretch });
        tile.place(box, size, unit, stretch);
      }
    }
    for (const tile of tiles) setHidden(tile, !this.boxes.has(tile));
    setProperty(byId("tiles"), "--height", height * stretch);
    this.#write(headings.filter(({ title }) => title));
  }

  /** Write the headings of the groups on this page. */
  #write(headings) {
    while (this.#headings.length > headings.length) this.#headings.pop()?.remove();
    headings.forEach(({ title, place }, i) => {
      const heading = (this.#headings[i] ??= makeHeading());
      setText(/** @type {Element} */ (heading.firstChild), title);
      for (const [name, value] of [["--x", place.x], ["--y", place.y], ["--w", place.width]]) setProperty(heading, String(name), value);
    });
  }
}

function makeHeading() {
  const heading = addElement("div", "group", byId("tiles"));
  addElement("h2", "", heading);
  return heading;
}

/**
 * The size that each tile asks for. Without a configured hero, the first chart is the hero.
 * @param {{tile: Tile, spec: import("../kinds/kind.js").Spec}[]} tiles
 * @param {Tile} [hero]
 * @returns {Placed[]}
 */
function itemsOf(tiles, hero) {
  const named = tiles.some(({ spec }) => spec.size === "hero");
  const chosen = named ? undefined : (tiles.find(({ tile, spec }) => tile.kind?.name === "chart" && !spec.size)?.tile ?? hero);
  return tiles.map(({ tile, spec }) => {
    const { size, least } = tile.kind ?? UNKNOWN;
    return { size: spec.size ?? (tile === chosen ? "hero" : size), least, tile };
  });
}

/**
 * Put the tiles of each group together, at the place of its first tile.
 * @param {Placed[]} items
 * @param {{spec: import("../kinds/kind.js").Spec}[]} tiles
 * @param {GroupConfiguration[]} groups
 */
function grouped(items, tiles, groups) {
  /** @type {Map<any, any>} */
  const found = new Map();
  items.forEach((item, i) => {
    const group = groups.find(({ title }) => title === tiles[i].spec.group);
    if (!group) found.set(item, item);
    else if (found.has(group)) found.get(group).items.push(item);
    else found.set(group, { title: headingOf(group, groups), stacked: group.share === "time", items: [item] });
  });
  return [...found.values()];
}

/**
 * The heading of a group. A wall's only group needs no heading if its tiles share an axis of time, because that shows that they
 * belong together.
 * @param {GroupConfiguration} group
 * @param {GroupConfiguration[]} groups
 */
function headingOf({ title, share }, groups) {
  return share === "time" && groups.length === 1 ? "" : title;
}
