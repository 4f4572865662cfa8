/** Named numbers as bars from a shared zero. Pure. */

/**
 * @typedef {object} Ranked
 * @property {string} name
 * @property {number|null} value  null: not known
 * @property {number|null} [former]  the value before; null: not known
 */

/**
 * The named numbers of a value: pairs, an object of numbers, or objects of which the first text is the name and the first number
 * the value.
 * @param {any} value
 * @param {string} [former]  the member of the objects with the former value
 * @returns {Ranked[]|null}  null: it holds no named numbers
 */
export function readRanked(value, former = "") {
  if (Array.isArray(value)) {
    const rows = value.map((row) => ofRow(row, former));
    return rows.every((row) => row !== null) ? /** @type {Ranked[]} */ (rows) : null;
  }
  if (value === null || typeof value !== "object") return null;
  const rows = Object.entries(value).map(([name, number]) => ({ name, value: number }));
  return rows.every(({ value: number }) => number === null || typeof number === "number") ? rows : null;
}

/**
 * The name and the numbers of an object; null if it has no such members.
 * @param {any} row
 * @param {string} former
 * @returns {Ranked|null}
 */
function ofRow(row, former) {
  if (row === null || typeof row !== "object") return null;
  if (former && Object.hasOwn(row, former)) {
    const { [former]: past, ...rest } = row;
    const ranked = ofRow(rest, "");
    return ranked && { ...ranked, former: typeof past === "number" ? past : null };
  }
  const cells = Array.isArray(row) ? row : Object.values(row);
  const name = Array.isArray(row) ? cells[0] : (cells.find((cell) => typeof cell === "string") ?? null);
  const number = (Array.isArray(row) ? cells.slice(1) : cells).find((cell) => typeof cell === "number") ?? null;
  if (name === undefined || (typeof name === "object" && name !== null)) return null;
  return number === null && !cells.includes(null) ? null : { name: String(name ?? "—"), value: number };
}

/**
 * The places of the bars.
 * @param {(number|null)[]} values  including the former values, so that both fit
 * @returns {{zero: number, at: (value: number) => number}}  shares of the width, 0 to 1
 */
export function barScale(values) {
  const known = values.filter((value) => value !== null && Number.isFinite(value)).map(Number);
  const [low, high] = [Math.min(0, ...known), Math.max(0, ...known)];
  const span = high - low;
  // Half each, because the difference of two very large numbers has no finite value.
  const at = (/** @type {number} */ value) => (span === 0 ? 0 : Number.isFinite(span) ? (value - low) / span : (value / 2 - low / 2) / (high / 2 - low / 2));
  return { zero: at(0), at };
}

/** The space before a name and before the end of its bar, in u. */
const SPACE = 0.8;

/**
 * Whether a name on its bar reaches over the end of the bar: then the end is drawn without a line, because that would strike the
 * name through.
 * @param {number} name  its width, in u
 * @param {number} bar
 */
export function reachesOver(name, bar) {
  return name + 2 * SPACE > bar;
}
