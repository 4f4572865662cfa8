/**
 * Where tiles go: how many columns, how high a row, how large the type. Pure.
 */

/** Up to so many columns. */
const COLUMNS = 8;
/**
 * Tiles as they should be, and as they are when those would not fit: the smallest, in hundredths of the screen's width and
 * in units, and the best shape, width by height (small type needs a wider tile).
 */
const TILES = {
  roomy: { width: 18, height: 16, shape: 4 / 3 },
  dense: { width: 12, height: 12.5, shape: 1.9 },
};
/** Below this width, in pixels, it is a phone: one column. */
const PHONE = 600;

/** Units of a tile's height that label, evidence and padding take from a text, and those of a line of it (see wall.css). */
const TEXT = { roomy: { rest: 13, line: 4.8 }, dense: { rest: 8.7, line: 2.9 } };
/** From this height on, in units, there is a second line of evidence; and what that takes (see wall.css). */
const TALL = 27;
const SECOND = 3.5;

/**
 * @typedef {{width: number, height: number}} Size  in pixels
 *
 * @typedef {object} Place
 * @property {number} columns
 * @property {number} height  of a row, in pixels
 * @property {number} unit  what type and space are measured in, in pixels
 * @property {"roomy"|"dense"} density
 * @property {number} lines  of text in a tile
 */

/**
 * The columns that leave the least area empty and come nearest to the best shape. Tiles that do not fit are scrolled to.
 * @param {number} count  of tiles, in one order; the last row is stretched
 * @param {Size} room  what there is for tiles
 * @param {Size} screen
 * @returns {Place}
 */
export function layout(count, room, screen) {
  const unit = measure(screen);
  const { density, ...place } = grid(Math.max(1, count), room, screen, unit);
  const { rest, line } = TEXT[density];
  const height = place.height / unit;
  const lines = Math.floor((height - rest - (height < TALL ? 0 : SECOND)) / line);
  return { ...place, unit, density, lines: Math.max(1, lines) };
}

/** A hundredth of the height; less on a phone held upright, and never too small to read. */
function measure({ width, height }) {
  return Math.max(5.5, Math.min(height, 1.5 * width) / 100);
}

/** @returns {Pick<Place, "columns"|"height"|"density">} */
function grid(count, room, screen, unit) {
  if (room.width < PHONE) return { columns: 1, height: Math.max(26 * unit, Math.floor(room.height / count)), density: "roomy" };
  for (const [density, least] of Object.entries(TILES)) {
    const smallest = { width: (least.width / 100) * screen.width, height: least.height * unit };
    const best = fitting(count, room, smallest, least.shape);
    if (best) return { ...best, density: /** @type {Place["density"]} */ (density) };
  }
  return { columns: COLUMNS, height: TILES.dense.height * unit, density: "dense" };
}

/** @returns {{columns: number, height: number}|null} */
function fitting(count, room, smallest, shape) {
  /** @type {{columns: number, height: number}|null} */
  let best = null;
  let least = Infinity;
  for (let columns = 1; columns <= Math.min(COLUMNS, count); columns++) {
    const rows = Math.ceil(count / columns);
    const [width, height] = [room.width / columns, Math.floor(room.height / rows)];
    if (width < smallest.width || height < smallest.height) continue;
    const empty = (rows * columns - count) / (rows * columns);
    const cost = Math.abs(Math.log(width / height / shape)) + 2 * empty;
    if (cost < least) [least, best] = [cost, { columns, height }];
  }
  return best;
}
