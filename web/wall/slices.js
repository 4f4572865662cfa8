/**
 * Cuts a rectangle into boxes, one for each tile, in order and without a gap. Pure.
 *
 * A rectangle holds a row of tiles, or is cut across or down into two rectangles that are cut further. The best way to cut gives
 * boxes that are nearest to the sizes that their tiles ask for. Cuts lie on a grid, so that rules and gutters line up. In the
 * end, cuts across are moved, so that the height of each tile suits its size.
 */

/** Lengths in u: the gutters, the height of one row of the sizes, the least height of a row, a group's heading. */
export const GUTTER = { x: 2.8, y: 1.2 };
const ROW = 14;
const LEAST_ROW = 13;
export const HEADING = 4.8;

/** Columns and rows of each size. @type {Record<import("../kinds/kind.js").SizeName, [number, number]>} */
export const SIZES = { s: [2, 1], m: [4, 1], l: [4, 2], wide: [6, 2], hero: [7, 3] };

/**
 * The heights in u that tiles ask for. Tiles below each other share the room in proportion to them. With them an `m` has room for
 * a numeral of 11 u, an `s` for one of 5.6 u above a bar, and a `wide` table for six rows below their heads.
 */
const HEIGHTS = { s: 16.2, m: 19.6, l: 24.5, wide: 31, hero: 38 };
/** Rules at most this far apart, in u, become one line. */
const NEAR = 2.4;

/** A tile that is smaller than its size costs this many times as much as one that is larger by the same factor. */
const SMALLER = 3;
/** More items than this are first cut into full-width strips: trying all cuts of 40 tiles takes seconds. */
const MANY = 12;
/** With more than twice as many items, only the shortest parts of a strip are cut in all ways. */
const FINE = 5;
/** The cost of tiles that share an axis and cannot stand below each other. */
const TORN = 50;
/** Grids are tried with this many times the rows that the tiles ask for, at least and at most. A few tiles may stand below each other. */
const ROWS = [0.6, 1.6];
const FEW = 4;

/**
 * @typedef {object} Item  a tile
 * @property {import("../kinds/kind.js").SizeName} size
 * @property {{width: number, height: number}} least  in u
 *
 * @typedef {object} Group  tiles that stand together
 * @property {string} title  its heading; empty: no heading
 * @property {boolean} stacked  whether its tiles stand below each other, because they share one axis
 * @property {Item[]} items
 *
 * @typedef {object} Box  in u
 * @property {Item|Group} item
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 *
 * @typedef {{width: number, height: number}} Room  in u
 * @typedef {{cost: number, boxes: Box[]}} Slices
 * @typedef {{cost: number, at: number, columns: number, rows: number}} Cut  at: how many items are in the first part; 0: all
 *   items are one row
 */

/**
 * Cut a rectangle for these items.
 * @param {(Item|Group)[]} items  at least one
 * @param {Room} room
 * @param {number} column  the width of a column, in u
 * @returns {Slices|null}  with the boxes of groups and of the tiles in them; null: the tiles would be too small
 */
export function slice(items, room, column) {
  /** @type {Slices|null} */
  let best = null;
  const columns = Math.max(1, Math.round((room.width + GUTTER.x) / (column + GUTTER.x)));
  const asked = areaOf(items, columns) / columns;
  const most = Math.max(1, Math.floor((room.height + GUTTER.y) / (LEAST_ROW + GUTTER.y)));
  const least = Math.min(most, Math.max(1, Math.floor(ROWS[0] * asked)));
  for (let rows = Math.min(most, Math.max(Math.min(FEW, items.length), Math.ceil(ROWS[1] * asked))); rows >= least; rows--) {
    const cuts = new Cuts(items, room, { columns, rows });
    if (cuts.cost < (best?.cost ?? Infinity)) best = { cost: cuts.cost, boxes: cuts.boxes() };
  }
  return best;
}

/**
 * Change the heights of charts that share an axis a little, so that their edges are level with near edges of other tiles.
 * @param {Box[]} boxes
 * @returns {Box[]}
 */
function aligned(boxes) {
  const elastic = new Set(boxes.flatMap(({ item }) => ("items" in item && item.stacked ? item.items : [])));
  const end = (/** @type {Box} */ { y, height }) => y + height + GUTTER.y;
  const isElastic = (/** @type {Box} */ { item }) => elastic.has(/** @type {Item} */ (item));
  const lines = boxes.filter((box) => !isElastic(box)).flatMap((box) => [box.y, end(box)]);
  const moved = (/** @type {number} */ y) => {
    const away = (/** @type {number} */ line) => Math.abs(line - y);
    const nearest = lines.reduce((best, line) => (away(line) < away(best) ? line : best), Infinity);
    return away(nearest) <= NEAR ? nearest : y;
  };
  return boxes.map((box) => (isElastic(box) ? { ...box, y: moved(box.y), height: moved(end(box)) - GUTTER.y - moved(box.y) } : box));
}

/** Whether all tiles have a box, and none is too small, or lower than one row. @param {Box[]} boxes @param {number} count */
function isLegible(boxes, count) {
  const tiles = boxes.filter(({ item }) => !("items" in item));
  return tiles.length === count && tiles.every(({ item, height }) => height > Math.max(ROW, /** @type {Item} */ (item).least.height) - 0.01);
}

/**
 * How many cells (one column by one row) the items ask for.
 * @param {(Item|Group)[]} items
 * @param {number} columns  the most that there are
 * @returns {number}
 */
export function areaOf(items, columns) {
  return items.reduce((sum, item) => sum + ("items" in item ? areaOf(item.items, columns) : cellsOf(item, columns)), 0);
}

/** How many cells of the grid an item asks for. @param {Item} item @param {number} columns */
function cellsOf({ size }, columns) {
  const [wide, high] = SIZES[size];
  return Math.min(columns, wide) * high;
}

class Cuts {
  #items;
  #room;
  #grid;
  /** The cells of the first n items, and the columns that each item asks for. */
  #cells = [0];
  #wishes;
  /** The most items for which all cuts are tried, for this list of items. */
  #many;
  /** The size of the page, divided by the size that the tiles ask for, in each direction. */
  #scale;
  /** @type {Map<number, Cut>} */
  #known = new Map();

  /** @param {(Item|Group)[]} items @param {Room} room @param {{columns: number, rows: number}} grid */
  constructor(items, room, grid) {
    [this.#items, this.#room, this.#grid] = [items, room, grid];
    for (const item of items) this.#cells.push(this.#cells[this.#cells.length - 1] + areaOf([item], grid.columns));
    this.#wishes = items.map(widthOf);
    this.#many = items.length > 2 * MANY ? FINE : MANY;
    const asked = this.#cells[items.length] * (room.width / grid.columns) * ROW;
    this.#scale = Math.sqrt((room.width * room.height) / asked);
  }

  get cost() {
    return this.#best(0, this.#items.length, this.#grid.columns, this.#grid.rows).cost;
  }

  /** The boxes. Their heights suit the sizes if all tiles then have room; otherwise they lie on the grid. @returns {Box[]} */
  boxes() {
    const [columns, rows, count] = [this.#grid.columns, this.#grid.rows, this.#items.length];
    const placed = (/** @type {boolean} */ free) => [...this.#place(0, count, columns, rows, { x: 0, y: 0, height: this.#room.height }, free)];
    const [onGrid, free] = [placed(false), placed(true)];
    const tiles = onGrid.filter(({ item }) => !("items" in item)).length;
    return [aligned(free), free].find((boxes) => isLegible(boxes, tiles)) ?? onGrid;
  }

  /** The width of this many columns, in u. */
  #across(columns) {
    return (columns / this.#grid.columns) * (this.#room.width + GUTTER.x) - GUTTER.x;
  }

  /** The height of this many rows, in u. */
  #down(rows) {
    return (rows / this.#grid.rows) * (this.#room.height + GUTTER.y) - GUTTER.y;
  }

  /** The best cut for the items from `first` to before `last`. @returns {Cut} */
  #best(first, last, columns, rows) {
    const key = ((first * 512 + last) * 32 + columns) * 32 + rows;
    const known = this.#known.get(key);
    if (known) return known;
    /** @type {Cut} */
    let best = { cost: this.#rowCost(first, last, columns, rows), at: 0, columns, rows };
    for (let at = first + 1; at < last; at++) {
      const share = (this.#cells[at] - this.#cells[first]) / (this.#cells[last] - this.#cells[first]);
      for (let upper = lower(share, rows); upper <= upperEnd(share, rows); upper++) {
        let { cost } = this.#best(first, at, columns, upper);
        if (cost < best.cost) cost += this.#best(at, last, columns, rows - upper).cost;
        if (cost < best.cost) best = { cost, at, columns, rows: upper };
      }
      if (last - first > this.#many) continue;
      for (let left = lower(share, columns); left <= upperEnd(share, columns); left++) {
        let { cost } = this.#best(first, at, left, rows);
        if (cost < best.cost) cost += this.#best(at, last, columns - left, rows).cost;
        if (cost < best.cost) best = { cost, at, columns: left, rows };
      }
    }
    this.#known.set(key, best);
    return best;
  }

  /** The cost of all these items side by side. */
  #rowCost(first, last, columns, rows) {
    const height = this.#down(rows);
    const each = this.#share(first, last, columns);
    let cost = 0;
    for (let i = first; i < last && cost < Infinity; i++) {
      cost += costOf(this.#items[i], { width: this.#wishes[i] * each, height }, this.#across(1), this.#scale);
    }
    return cost;
  }

  /** The width for each column that items side by side ask for: they share the whole width. */
  #share(first, last, columns) {
    let wished = 0;
    for (let i = first; i < last; i++) wished += this.#wishes[i];
    return (this.#across(columns) - (last - first - 1) * GUTTER.x) / wished;
  }

  /**
   * Yield the boxes of some items within a box.
   * @param {boolean} free  whether heights suit the sizes, instead of being rows of the grid
   * @returns {Generator<Box>}
   */
  *#place(first, last, columns, rows, { x, y, height }, free) {
    const cut = this.#best(first, last, columns, rows);
    if (cut.at && cut.rows < rows) {
      const lower = rows - cut.rows;
      const share = free ? shareOf(this.#height(first, cut.at, columns, cut.rows), this.#height(cut.at, last, columns, lower)) : cut.rows / rows;
      const upper = share * (height + GUTTER.y) - GUTTER.y;
      yield* this.#place(first, cut.at, columns, cut.rows, { x, y, height: upper }, free);
      yield* this.#place(cut.at, last, columns, lower, { x, y: y + upper + GUTTER.y, height: height - upper - GUTTER.y }, free);
    } else if (cut.at) {
      yield* this.#place(first, cut.at, cut.columns, rows, { x, y, height }, free);
      yield* this.#place(cut.at, last, columns - cut.columns, rows, { x: x + this.#across(cut.columns) + GUTTER.x, y, height }, free);
    } else {
      const each = this.#share(first, last, columns);
      for (const item of this.#items.slice(first, last)) {
        const box = { item, x, y, width: widthOf(item) * each, height };
        yield box;
        if ("items" in item) yield* within(item, box, this.#across(1));
        x += box.width + GUTTER.x;
      }
    }
  }

  /** The height that suits the items from `first` to before `last`, in u. @returns {number} */
  #height(first, last, columns, rows) {
    const cut = this.#best(first, last, columns, rows);
    if (!cut.at) return Math.max(...this.#items.slice(first, last).map((item) => heightOf(item, this.#down(rows))));
    if (cut.rows < rows) return this.#height(first, cut.at, columns, cut.rows) + GUTTER.y + this.#height(cut.at, last, columns, rows - cut.rows);
    return Math.max(this.#height(first, cut.at, cut.columns, rows), this.#height(cut.at, last, columns - cut.columns, rows));
  }
}

/** The share of the upper one of two parts, each with a gutter below it. @param {number} upper @param {number} lower */
function shareOf(upper, lower) {
  return (upper + GUTTER.y) / (upper + lower + 2 * GUTTER.y);
}

/** The height that suits an item: a group keeps its height. @param {Item|Group} item @param {number} height */
function heightOf(item, height) {
  return "items" in item ? height : HEIGHTS[item.size];
}

/**
 * The line before a share of this many rows or columns. A cut whose first part asks for this share lies there or at the next
 * line.
 */
const lower = (share, count) => Math.max(1, Math.floor(share * count));
const upperEnd = (share, count) => Math.min(count - 1, Math.ceil(share * count));

/** The columns that an item asks for. @param {Item|Group} item */
function widthOf(item) {
  return "items" in item ? Math.max(...item.items.map(widthOf)) : SIZES[item.size][0];
}

/** How far a box is from the size that its item asks for; Infinity if the box is too small. */
function costOf(item, { width, height }, column, scale) {
  if ("items" in item) return inside(item, { width, height }, column)?.cost ?? Infinity;
  if (width < item.least.width || height < item.least.height) return Infinity;
  const [columns, rows] = SIZES[item.size];
  const wide = Math.log(width / (columns * (column + GUTTER.x) - GUTTER.x) / scale);
  const high = Math.log(height / (rows * (ROW + GUTTER.y) - GUTTER.y) / scale);
  const cost = (distance) => (distance < 0 ? SMALLER : 1) * distance ** 2;
  return (cost(wide) + cost(high)) * Math.sqrt(columns * rows);
}

/** The slices of each group for each room that was tried. @type {WeakMap<Group, Map<string, Slices|null>>} */
const INSIDE = new WeakMap();

/** Cut a group's box for its tiles. @param {Group} group @param {Room} box @returns {Slices|null} */
function inside(group, box, column) {
  const known = INSIDE.get(group) ?? new Map();
  INSIDE.set(group, known);
  const key = `${box.width} ${box.height}`;
  if (known.has(key)) return known.get(key);
  const room = { width: box.width, height: box.height - (group.title ? HEADING : 0) };
  let slices = group.stacked ? stackOf(group, room, column) : slice(group.items, room, column);
  if (!slices) slices = torn(slice(group.items, room, column));
  known.set(key, slices);
  return slices;
}

/** The slices, at the cost of a group that does not stay together. @param {Slices|null} slices @returns {Slices|null} */
function torn(slices) {
  return slices && { ...slices, cost: slices.cost + TORN };
}

/** The boxes of a group's tiles. @returns {Box[]} */
function within(group, { x, y, width, height }, column) {
  const top = y + (group.title ? HEADING : 0);
  const boxes = inside(group, { width, height }, column)?.boxes ?? [];
  return boxes.map((box) => ({ ...box, x: box.x + x, y: box.y + top }));
}

/** Stack the tiles below each other, with heights in proportion to their sizes. @returns {Slices|null} */
function stackOf({ items }, { width, height }, column) {
  const total = (/** @type {(item: Item) => number} */ part) => items.reduce((sum, item) => sum + part(item), 0);
  const room = height - (items.length - 1) * GUTTER.y;
  const scale = Math.sqrt(room / total(({ size }) => SIZES[size][1]) / ROW);
  const each = room / total(({ size }) => HEIGHTS[size]);
  let [y, cost] = [0, 0];
  const boxes = items.map((item) => {
    const box = { item, x: 0, y, width, height: HEIGHTS[item.size] * each };
    cost += costOf(item, box, column, scale);
    y += box.height + GUTTER.y;
    return box;
  });
  return cost < Infinity ? { cost, boxes } : null;
}
