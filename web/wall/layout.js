/** Layout: the unit of type and space, the pages, and a box for each tile. Pure. */

import { areaOf, GUTTER, HEADING, SIZES, slice } from "./slices.js";

/** Lengths in u: the margin, the header, the free space at the bottom. */
export const MARGIN = 2.8;
export const HEADER = 7.4;
const FOOT = 1.6;
/** The width of a column on a screen of 16:9, in u, and the most columns. */
const COLUMN = 11.78;
const COLUMNS = 16;
/** The least pixels of u: the smallest text, of 2.2 u, has 12 pixels. */
const SMALLEST = 12 / 2.2;
/** A narrower screen, in pixels, is a phone: one column, which scrolls. */
const PHONE = 600;
/** A tile that may be so narrow, in u, shows one value. */
const ONE_VALUE = 20;
/** The height of a row of a size with its gutter, in u. */
const ROW_PITCH = 15.2;
/** The tiles of a page may ask for this many times its cells, if they stay large enough. */
const FULL = 1.2;

/**
 * @typedef {import("./slices.js").Item} Item
 * @typedef {import("./slices.js").Group} Group
 * @typedef {import("./slices.js").Box} Box
 *
 * @typedef {object} Layout
 * @property {number} unit  pixels of u
 * @property {boolean} scrolls  whether it is a phone's, with one page as high as its tiles
 * @property {number} height  of a page, in u
 * @property {Box[][]} pages  the boxes of tiles and groups of each page; at least one page
 */

/**
 * Give the tiles their places.
 * @param {(Item|Group)[]} items  in order
 * @param {{width: number, height: number}} screen  in pixels
 * @returns {Layout}
 */
export function layout(items, screen) {
  const unit = unitOf(screen);
  const width = screen.width / unit - 2 * MARGIN;
  const height = screen.height / unit - HEADER - FOOT;
  if (screen.width < PHONE) return { unit, scrolls: true, ...stack(items, width) };
  const columns = Math.min(COLUMNS, Math.max(1, Math.floor((width + GUTTER.x) / (COLUMN + GUTTER.x) + 0.05)));
  const column = (width + GUTTER.x) / columns - GUTTER.x;
  return { unit, scrolls: false, height, pages: paged(items, { width, height }, column, columns) };
}

/** A hundredth of the height, or 0.82 % of an upright screen's width, and never too small to read. */
function unitOf({ width, height }) {
  return Math.max(SMALLEST, width < height ? 0.0082 * width : height / 100);
}

/** As few pages as the tiles need. Each page has about the same area to fill. @returns {Box[][]} */
function paged(items, room, column, columns) {
  if (!items.length) return [[]];
  const whole = items.flatMap((item) => splitGroup(item, room, column));
  const cells = columns * Math.max(1, Math.floor((room.height + GUTTER.y) / ROW_PITCH)) * FULL;
  for (let number = Math.max(1, Math.ceil(areaOf(whole, columns) / cells)); number < whole.length; number++) {
    const pages = sliceAll(divide(whole, number, columns), room, column);
    if (pages) return pages;
  }
  // A page for each, also where the screen is smaller than the tile asks for: nothing vanishes.
  return whole.map((item) => slice([item], room, column)?.boxes ?? force(item, room));
}

/** The boxes of each page; null if one of the pages has too many tiles. @returns {Box[][]|null} */
function sliceAll(parts, room, column) {
  const pages = [];
  for (const part of parts) {
    const slices = slice(part, room, column);
    if (!slices) return null;
    pages.push(slices.boxes);
  }
  return pages;
}

/** Split a group that does not fit one page into several groups with its title. @returns {(Item|Group)[]} */
function splitGroup(item, room, column) {
  if (!("items" in item) || item.items.length < 2 || slice([item], room, column)) return [item];
  const half = Math.ceil(item.items.length / 2);
  const parts = [item.items.slice(0, half), item.items.slice(half)];
  return parts.flatMap((items) => splitGroup({ ...item, items }, room, column));
}

/** Divide the items into this many pages of about equal area, in order. @returns {(Item|Group)[][]} */
function divide(items, number, columns) {
  const areas = items.map((item) => areaOf([item], columns));
  const total = areas.reduce((sum, area) => sum + area, 0);
  /** @type {(Item|Group)[][]} */
  const pages = Array.from({ length: number }, () => []);
  let before = 0;
  items.forEach((item, i) => {
    const middle = before + areas[i] / 2;
    pages[Math.min(number - 1, Math.floor((middle / total) * number))].push(item);
    before += areas[i];
  });
  return pages.filter((page) => page.length);
}

/** Give the whole page to one tile. @returns {Box[]} */
function force(item, room) {
  const box = { item, x: 0, y: 0, ...room };
  if (!("items" in item)) return [box];
  const top = item.title ? HEADING : 0;
  return [box, ...item.items.map((each) => ({ item: each, x: 0, y: top, width: room.width, height: room.height - top }))];
}

/** Stack the tiles in one column, each as high as its size asks for. @returns {{height: number, pages: Box[][]}} */
function stack(items, width) {
  /** @type {Box[]} */
  const boxes = [];
  let y = 0;
  const add = (item) => {
    const [, rows] = SIZES[item.size];
    // Here no tile takes room from another one. What shows more than one value has at least two rows.
    const least = item.size === "s" && item.least.width <= ONE_VALUE ? 1 : 2;
    const height = Math.max(item.least.height, Math.max(rows, least) * ROW_PITCH - GUTTER.y);
    boxes.push({ item, x: 0, y, width, height });
    y += height + GUTTER.y;
  };
  for (const item of items) {
    if (!("items" in item)) {
      add(item);
      continue;
    }
    const box = { item, x: 0, y, width, height: 0 };
    boxes.push(box);
    y += item.title ? HEADING : 0;
    item.items.forEach(add);
    box.height = y - GUTTER.y - box.y;
  }
  return { height: Math.max(0, y - GUTTER.y), pages: [boxes] };
}

/**
 * The page to turn to. A page with a critical tile stays; several such pages take turns.
 * @param {number} page  the present page
 * @param {boolean[]} critical  for each page, whether it has a critical tile
 * @returns {number}
 */
export function nextPage(page, critical) {
  const any = critical.includes(true);
  let next = (page + 1) % critical.length;
  while (any && !critical[next]) next = (next + 1) % critical.length;
  return next;
}
