/** A stream's label and the text of its value. Pure. */

import { exact } from "./numbers.js";
import { cut } from "./plain.js";
import { isAmount, isTime, written } from "./values.js";

/** Parts a word for a large number from a unit: see numbers.js. */
const NARROW = "\u202f";
/** A text with at most this many characters is written in the size of numerals. */
const SHORT = 10;

/**
 * @typedef {object} Face
 * @property {string} before  a currency, left of the value: "€"
 * @property {string} value
 * @property {"numeral"|"text"} size
 * @property {string} unit
 * @property {string} exact  the whole value, shown under the mouse; empty if `value` leaves nothing out
 *
 * @typedef {import("./language.js").Place} Place
 */

/**
 * A stream's title, or its name.
 * @param {import("../client/link.js").Stream} stream
 * @returns {string}
 */
export function label({ name, description }) {
  return cut(String(description.title || name), 128);
}

/**
 * A stream's value as a tile writes it. It depends on the update, the description, the language and the time zone; with a format
 * of times (see `isMoving`) it also depends on the time. It never depends on health.
 * @param {import("../client/link.js").Stream} stream
 * @param {Place} [place]  the picture of the wall
 * @param {boolean} [narrow]  in fewer digits and a larger unit, for a tile in which the value is too wide
 * @returns {Face}
 */
export function face({ description, seq, value, exact: precise = value }, place = {}, narrow = false) {
  if (!seq) return { before: "", value: "—", size: "numeral", unit: "", exact: "" };
  const parts = written(value, description, /** @type {any} */ (place), narrow);
  const whole = typeof value === "number" ? exact(precise, place) : typeof value === "object" ? parts.value : `${value}`;
  return {
    ...parts,
    size: isAmount(value, description) || isTime(value, description, place) || isShort(parts.value) ? "numeral" : "text",
    exact: parts.value === whole ? "" : cut(whole, 1000),
  };
}

/**
 * Whether the narrow face has another unit than the wide one: "1.18 s" for "1,180 ms", but not "1.18 K requests" for "1,180
 * requests".
 * @param {Face} wide
 * @param {Face} narrow
 * @returns {boolean}
 */
export function isScaled({ unit }, narrow) {
  return Boolean(unit) && narrow.unit !== unit && !narrow.unit.includes(NARROW);
}

/**
 * Whether a text fits in the numeral's size.
 * @param {string} text
 * @returns {boolean}
 */
export function isShort(text) {
  return characters(text) <= SHORT;
}

/**
 * How many characters a text has; those outside the basic plane count once.
 * @param {string} text
 * @returns {number}
 */
export function characters(text) {
  return [...text].length;
}
