/**
 * Where tiles go: how many columns and rows, how many pages, how large the type. Pure.
 */

/** Up to so many columns. */
const COLUMNS = 8;
/** A tile's best shape, width by height. */
const SHAPE = 4 / 3;
/** The smallest tile, in hundredths of the screen's width and height: smaller ones go to another page. */
const LEAST = { width: 18, height: 16 };
/** Below this width, in pixels, it is a phone: one column, which is scrolled. */
const PHONE = 600;
/** Units of a tile's height that label, evidence and padding take from a text, and those of a line of it (see wall.css). */
const REST = 13;
const LINE = 4.8;

/**
 * @typedef {{width: number, height: number}} Size  in pixels
 *
 * @typedef {object} Place
 * @property {number} columns
 * @property {number} height  of a row, in pixels
 * @property {number} unit  what type and space are measured in, in pixels
 * @property {number} lines  of text in a tile
 * @property {number[][][]} pages  the tiles of each row of each page, by their index
 */

/**
 * The columns that leave the least area empty and come nearest to the best shape; as many pages as it takes.
 * @param {number[]} weights  the columns that each tile takes, in one order
 * @param {Size} room  what there is for tiles
 * @param {Size} screen
 * @returns {Place}
 */
export function layout(weights, room, screen) {
  const unit = measure(screen);
  const { columns, rows, height } = grid(weights, room, screen, unit);
  const packed = pack(weights, columns);
  const number = Math.max(1, Math.ceil(packed.length / rows));
  const each = Math.ceil(packed.length / number);
  const pages = Array.from({ length: number }, (_, i) => packed.slice(i * each, (i + 1) * each));
  const lines = Math.max(1, Math.floor((height / unit - REST) / LINE));
  return { columns, height, unit, lines, pages };
}

/** A hundredth of the height; less on a phone held upright, and never too small to read. */
function measure({ width, height }) {
  return Math.max(5.5, Math.min(height, 1.5 * width) / 100);
}

/** @returns {{columns: number, rows: number, height: number}}  of a page */
function grid(weights, room, screen, unit) {
  if (room.width < PHONE) {
    return { columns: 1, rows: Infinity, height: Math.max(26 * unit, Math.floor(room.height / Math.max(1, weights.length))) };
  }
  const least = { width: (LEAST.width / 100) * screen.width, height: LEAST.height * unit };
  return fitting(weights, room, least) ?? full(room, least);
}

function fitting(weights, room, least) {
  let best = null;
  let lowest = Infinity;
  for (let columns = 1; columns <= COLUMNS; columns++) {
    const rows = Math.max(1, pack(weights, columns).length);
    const [width, height] = [room.width / columns, Math.floor(room.height / rows)];
    if (width < least.width || height < least.height) continue;
    const taken = weights.reduce((sum, weight) => sum + Math.min(weight, columns), 0);
    const cost = Math.abs(Math.log(width / height / SHAPE)) + 2 * (1 - taken / (rows * columns));
    if (cost < lowest) [lowest, best] = [cost, { columns, rows, height }];
  }
  return best;
}

/** As many tiles as a page can hold. */
function full(room, least) {
  const columns = Math.max(1, Math.min(COLUMNS, Math.floor(room.width / least.width)));
  const rows = Math.max(1, Math.floor(room.height / least.height));
  return { columns, rows, height: Math.floor(room.height / rows) };
}

/** Rows of tiles in their order; the last of a row may be stretched. */
function pack(weights, columns) {
  const rows = [];
  let free = 0;
  weights.forEach((weight, i) => {
    const taken = Math.min(weight, columns);
    if (taken > free) {
      rows.push([]);
      free = columns;
    }
    rows[rows.length - 1].push(i);
    free -= taken;
  });
  return rows;
}
