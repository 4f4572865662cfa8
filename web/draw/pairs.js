/**
 * Values that are a series: rows of [x, number], as `series` of a query makes them. Pure.
 *
 * If every x is a time with an offset, the rows are points of a line. Otherwise each x is a name, and the rows are bars.
 */

/** An ISO 8601 time with an offset. Without one, nobody knows which moment is meant. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d(:\d\d(\.\d+)?)?)$/;
/** The first cell of the row that counts the rows for which the value had no room. Its number is null. */
const REST = /^… and (\d+) rows (more|before)$/;

/**
 * @typedef {object} Pairs
 * @property {"times"|"names"} axis
 * @property {{x: any, y: number|null}[]} rows  x: seconds since the epoch, or a name (a text, a number, true, false or null);
 *   y: null is a hole. Times are in ascending order.
 * @property {{what: "more"|"rowsBefore"|"withoutTime", count: number}[]} notes  the rows that are left out, by keys of
 *   text/words.js
 */

/** The result for each array, kept because a chart reads its value each second. @type {WeakMap<any[], Pairs|null>} */
const READ = new WeakMap();

/**
 * Read a value as a series.
 * @param {any} value  not to be changed afterwards
 * @returns {Pairs|null}  null: it is not a series
 */
export function readPairs(value) {
  if (!Array.isArray(value)) return null;
  let read = READ.get(value);
  if (read === undefined) READ.set(value, (read = value.every(isPair) ? sorted(value) : null));
  return read;
}

/**
 * The pairs, by time if all have times; rows without a time, and rows that were cut off, become notes.
 * @param {[any, number|null][]} value
 * @returns {Pairs}
 */
function sorted(value) {
  const isRest = ([x, y]) => y === null && typeof x === "string" && REST.test(x);
  const told = value.filter((pair) => !isRest(pair));
  const rest = value.filter(isRest).map(([x]) => noteOf(x));
  const named = told.filter(([x]) => x !== null);
  if (!named.length || !named.every(([x]) => isTime(x))) return { axis: "names", rows: told.map(([x, y]) => ({ x, y })), notes: rest };
  const rows = named.map(([x, y]) => ({ x: Date.parse(x) / 1000, y })).sort((a, b) => a.x - b.x);
  const lost = told.length - named.length;
  return { axis: "times", rows, notes: lost ? [...rest, { what: "withoutTime", count: lost }] : rest };
}

/** The note for the rows that the server cut off. @param {string} rest @returns {Pairs["notes"][0]} */
function noteOf(rest) {
  const [, count, where] = rest.match(REST) ?? [];
  return { what: where === "before" ? "rowsBefore" : "more", count: Number(count) };
}

/**
 * The points of a line through a series of times. The last number holds as long as the shortest step between two times.
 * @param {Pairs["rows"]} rows  at least one
 * @returns {{times: Float64Array, values: Float64Array, until: number}}  a NaN begins a hole; until: the end of the last step
 */
export function pointsOf(rows) {
  const times = Float64Array.from(rows, ({ x }) => x);
  const steps = [...times.subarray(1)].map((time, i) => time - times[i]).filter((step) => step > 0);
  const step = steps.reduce((least, one) => Math.min(least, one), Infinity);
  const values = Float64Array.from(rows, ({ y }) => y ?? NaN);
  return { times, values, until: times[times.length - 1] + (step < Infinity ? step : 1) };
}

/** Whether a row is a name or a time, and a number or null. @returns {boolean} */
function isPair(row) {
  if (!Array.isArray(row) || row.length !== 2) return false;
  const [x, y] = row;
  return (typeof x !== "object" || x === null) && (y === null || typeof y === "number");
}

/** Whether a value is a time as text. @returns {boolean} */
function isTime(x) {
  return typeof x === "string" && TIME.test(x) && !Number.isNaN(Date.parse(x));
}
