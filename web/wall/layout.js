/** Where tiles go: how many columns, rows and pages there are, and how large the type is. Pure. */

/** The most columns. */
const COLUMNS = 8;
/** A tile's best width, divided by its height. */
const SHAPE = 4 / 3;
/** The smallest tile that can be read from afar, in hundredths of the screen's width and height. */
const LEAST = { width: 18, height: 16 };
/** A narrower screen, in pixels, is a phone: one column, which scrolls. */
const PHONE = 600;
/** The height in units of a phone's tile, at least. */
const PHONE_TILE = 26;
/** The height in units of label, evidence and padding together, and of a line of text (see tile.css). */
const REST = 13;
const LINE = 4.8;
/** The cost of empty area: a page without any tile would cost as much as tiles that are e * e times too wide. */
const EMPTY = 2;

/**
 * @typedef {{width: number, height: number}} Size  in pixels
 *
 * @typedef {object} Place
 * @property {number} columns
 * @property {number} height  of a row, in pixels
 * @property {number} unit  of type and space, in pixels
 * @property {number} lines  of text in a tile
 * @property {number[][][]} pages  for each page its rows, for each row the indices of its tiles
 */

/**
 * Give the tiles their places. The columns are chosen that leave the least area empty and come nearest to the best shape.
 * @param {number[]} weights  how many columns each tile takes, in the order of the tiles
 * @param {Size} room  for tiles
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

/** A hundredth of the height, less on an upright phone, and never too small to read. */
function measure({ width, height }) {
  return Math.max(5.5, Math.min(height, 1.5 * width) / 100);
}

/** @returns {{columns: number, rows: number, height: number}}  of a page */
function grid(weights, room, screen, unit) {
  if (room.width < PHONE) {
    return { columns: 1, rows: Infinity, height: Math.max(PHONE_TILE * unit, Math.floor(room.height / Math.max(1, weights.length))) };
  }
  const least = { width: (LEAST.width / 100) * screen.width, height: LEAST.height * unit };
  return fitting(weights, room, least) ?? full(room, least);
}

/**
 * The best grid that shows all tiles on one page; null if they would be too small.
 * @returns {{columns: number, rows: number, height: number}|null}
 */
function fitting(weights, room, least) {
  /** @type {{columns: number, rows: number, height: number}|null} */
  let best = null;
  let lowest = Infinity;
  for (let columns = 1; columns <= COLUMNS; columns++) {
    const rows = Math.max(1, pack(weights, columns).length);
    const [width, height] = [room.width / columns, Math.floor(room.height / rows)];
    if (width < least.width || height < least.height) continue;
    const taken = weights.reduce((sum, weight) => sum + Math.min(weight, columns), 0);
    const cost = Math.abs(Math.log(width / height / SHAPE)) + EMPTY * (1 - taken / (rows * columns));
    if (cost < lowest) [lowest, best] = [cost, { columns, rows, height }];
  }
  return best;
}

/** The grid of a full page: the tiles do not fit one page. */
function full(room, least) {
  const columns = Math.max(1, Math.min(COLUMNS, Math.floor(room.width / least.width)));
  const rows = Math.max(1, Math.floor(room.height / least.height));
  return { columns, rows, height: Math.floor(room.height / rows) };
}

/** Fill rows with tiles in their order. A row that is not full is stretched by the style sheet. */
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

/**
 * The page to turn to. A page with a critical tile stays; several such pages take turns.
 * @param {number} page  the one that is shown
 * @param {boolean[]} critical  for each page, whether it has a critical tile
 * @returns {number}
 */
export function nextPage(page, critical) {
  const any = critical.includes(true);
  let next = (page + 1) % critical.length;
  while (any && !critical[next]) next = (next + 1) % critical.length;
  return next;
}
