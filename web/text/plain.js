/** Any value as text of bounded length. Pure. */

import { exact, number } from "./numbers.js";
import { say } from "./words.js";

/** @typedef {import("./language.js").Place} Place */

/** The most characters of a text that a tile can show. A value may have 64 KiB. */
const LONGEST = 600;

/**
 * Any JSON value as text of bounded length. Numbers are written by `number`, null is a dash. A text stays as it is, but a blank
 * text is quoted, so that it can be seen. Everything else is compact JSON.
 * @param {any} value
 * @param {Place} [place]
 * @returns {string}
 */
export function text(value, place = {}) {
  if (typeof value === "number") return number(value, place);
  if (typeof value === "bigint") return exact(value, place);
  if (value === null || value === undefined) return "—";
  return cut(typeof value === "string" && value.trim() ? value : json(value, place), LONGEST);
}

/** A value as JSON text. @param {any} value @param {Place} place */
function json(value, place) {
  try {
    return JSON.stringify(value, (_, member) => (typeof member === "bigint" ? String(member) : member));
  } catch {
    return say("tooDeep", place); // JSON.parse has no limit of depth; JSON.stringify overflows the stack
  }
}

/**
 * A text, cut to a length. An ellipsis marks the cut, which never splits a surrogate pair.
 * @param {string} text
 * @param {number} length  in UTF-16 units, without the ellipsis
 * @returns {string}
 */
export function cut(text, length) {
  if (text.length <= length) return text;
  return text.slice(0, length).replace(/[\ud800-\udbff]$/, "") + "…";
}
