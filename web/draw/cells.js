/** Many small cells in a tile: how many columns and rows, and whether there is room for names. Pure: all lengths are in u. */

/** The least width of a cell with a name, in which the words beside the name may be cut; its least and its greatest height. */
const NAMED = { width: 16, least: 3.1, most: 4.7 };
/** A cell with a sign only. */
const SIGN = { width: 3.2, least: 2.4, most: 3.6 };
/** The space between two columns. */
const GAP = 2.4;

/**
 * @typedef {object} Cells
 * @property {boolean} named  whether each cell has room for its name; otherwise it shows only its sign
 * @property {number} columns
 * @property {number} rows
 * @property {number} height  of a row
 * @property {number} shown  how many cells have room
 */

/**
 * Arrange cells, filled row by row: with as few columns as have room, because names are read downwards. They may take the spare
 * height if that leaves their names room.
 * @param {number} count
 * @param {{width: number, height: number, spare?: number}} room
 * @returns {Cells}
 */
export function arrangeCells(count, { width, height, spare = 0 }) {
  const most = Math.max(1, Math.floor((width + GAP) / (NAMED.width + GAP)));
  const high = height + spare;
  for (let columns = 1; columns <= most; columns++) {
    const rows = Math.max(1, Math.ceil(count / columns));
    if (rows * NAMED.least <= high) return { named: true, columns, rows, height: Math.min(NAMED.most, high / rows), shown: count };
  }
  const columns = Math.max(1, Math.floor(width / SIGN.width));
  const rows = Math.min(Math.ceil(count / columns), Math.max(1, Math.floor(height / SIGN.least)));
  return { named: false, columns, rows, height: Math.min(SIGN.most, height / rows), shown: Math.min(count, columns * rows) };
}
