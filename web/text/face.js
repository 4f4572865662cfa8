/** A stream's label and the text of its value. Pure. */

import { cut, text } from "./format.js";

/** Text of up to this many characters is written in the numeral's size, as every number is. */
const SHORT = 10;

/**
 * @typedef {object} Face
 * @property {string} value
 * @property {"numeral"|"text"} size
 * @property {string} unit
 * @property {string} exact  the whole value, shown under the mouse; empty if `value` leaves nothing out
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
 * A stream's value as a tile writes it. It depends on the update and the description alone, never on time or health.
 * @param {import("../client/link.js").Stream} stream
 * @returns {Face}
 */
export function face({ description, seq, value }) {
  const shown = !seq ? "—" : typeof value === "boolean" ? (value ? "yes" : "no") : text(value);
  const whole = typeof value === "object" ? shown : `${value}`; // an object may have a member named toString
  return {
    value: shown,
    size: typeof value === "number" || isShort(shown) ? "numeral" : "text",
    unit: seq && typeof value === "number" ? cut(String(description.unit ?? ""), 24) : "",
    exact: seq && shown !== whole ? cut(whole, 1000) : "",
  };
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
