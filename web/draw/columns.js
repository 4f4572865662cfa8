/** How wide the columns of a table are, and how many have room. Pure: all lengths are in em. */

/** The space between two columns. */
export const GAP = 1.1;
/** The greatest width of a column, unless all columns have room. */
const MOST = 30;

/**
 * @typedef {object} ColumnSize
 * @property {number} width  of its widest cell
 * @property {number} least  the least width to which it may be cut: a text may be cut, a number may not
 * @property {boolean} [right]  whether its cells end at the right
 * @property {boolean} [text]  whether it takes the remaining room, if no other column does
 */

/**
 * The widths of the columns that have room. The last ones go, as wholes. What is left over goes to the texts.
 * @param {ColumnSize[]} columns  at least one
 * @param {number} room
 * @returns {number[]}  of the first columns; at least one
 */
export function fitColumns(columns, room) {
  let shown = columns.length;
  while (shown > 1 && leastRoom(columns.slice(0, shown)) > room) shown--;
  if (shown === 1) return [Math.max(0, room)];
  const some = columns.slice(0, shown);
  const widths = some.map(({ width, least }) => Math.min(width, least));
  const left = () => Math.max(0, room - sum(widths) - GAP * (shown - 1));
  // Texts are whole before bars grow.
  for (const grows of [true, false]) {
    const wishes = some.map(({ width, text = false }, i) => (text === grows ? Math.max(0, Math.min(width, MOST) - widths[i]) : 0));
    const share = Math.min(1, left() / (sum(wishes) || 1));
    wishes.forEach((wish, i) => (widths[i] += wish * share));
  }
  // Room that no cell needs spreads the columns over the tile; with one text, that takes it all. The cells of the first column stay
  // at the left edge of the tile, and those of the last one at the right.
  const texts = some.flatMap(({ text }, i) => (text ? [i] : []));
  const takers = texts.length === 1 ? texts : [...widths.keys()].filter((i) => (some[i].right ? i > 0 : i < shown - 1));
  const rest = left();
  for (const i of takers) widths[i] += rest / takers.length;
  return widths;
}

/**
 * The least room that all columns need.
 * @param {ColumnSize[]} columns
 * @returns {number}
 */
function leastRoom(columns) {
  return sum(columns.map(({ width, least }) => Math.min(width, least))) + GAP * (columns.length - 1);
}

/**
 * The room in which no cell is cut.
 * @param {ColumnSize[]} columns
 * @returns {number}
 */
export function wholeRoom(columns) {
  return sum(columns.map(({ width }) => width)) + GAP * (columns.length - 1);
}

/** The sum of numbers. @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

/**
 * How many rows have room, and how high they are.
 * @param {number} given  how many there are
 * @param {number} room  in u
 * @param {{least: number, most: number}} height  of a row, in u
 * @returns {{shown: number, height: number}}
 */
export function fitRows(given, room, { least, most }) {
  const fitting = Math.max(1, Math.floor(room / least + 1e-9));
  const shown = Math.min(given, fitting);
  return { shown, height: Math.min(most, Math.max(least, room / Math.max(1, shown))) };
}
