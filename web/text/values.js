/**
 * Writes a value by the description of its stream: by its word, by its format, or plainly. Pure.
 *
 * `written` gives the parts that a tile sets in different sizes; `inline` gives one line for sentences, limits and lists. Both take
 * the picture of the wall: its language, its time zone and its time. A value that does not suit the format is written plainly.
 */

import { bytesParts, exact, moneyParts, numberParts, oneLine, scaledParts } from "./numbers.js";
import { timeOf } from "./moments.js";
import { cut, text } from "./plain.js";
import { clock, date, durationCell, durationParts, since, until } from "./times.js";
import { say } from "./words.js";

/**
 * @typedef {import("./language.js").Place} Place
 * @typedef {Place & {now: number}} Now
 * @typedef {import("./numbers.js").Written} Written
 * @typedef {(value: any, description: Record<string, any>, place: Place, narrow: boolean) => Written|null} Format
 */

/** The most characters of a configured unit and of a word. */
const LONGEST_UNIT = 24;
const LONGEST_WORD = 100;

/** The formats of `[streams.NAME]`, as in streamd/core/presentation.py. A format gives null for a value that does not suit it. @type {Record<string, Format>} */
const FORMATS = {
  number: ifNumber(plainNumber),
  percent: ifNumber((value, { decimals }, place, narrow) => withUnit(numberParts(value, place, { decimals, narrow }), "%")),
  money: ifNumber((value, { currency, decimals, unit }, place, narrow) => withUnit(moneyParts(value, String(currency), place, { decimals, narrow }), unit)),
  bytes: ifNumber((value, { decimals }, place) => bytesParts(value, place, { decimals })),
  duration: ifNumber((value, _, place, narrow) => durationParts(value, place, { narrow })),
  time: ifTime(clock),
  date: ifTime(date),
  since: ifTime(since),
  until: ifTime(until),
};

/** The formats whose text changes while the value stays the same. */
const MOVING = new Set(["time", "date", "since", "until"]);

/**
 * Whether the text of a stream's value changes with time, so that a tile writes it anew each second.
 * @param {Record<string, any>} description
 * @returns {boolean}
 */
export function isMoving({ format }) {
  return MOVING.has(format);
}

/**
 * Whether a value is a number that is written as a number, so that its line and its changes can be shown.
 * @param {any} value
 * @param {Record<string, any>} description
 * @returns {boolean}
 */
export function isAmount(value, description) {
  return typeof value === "number" && !isMoving(description) && wordOf(value, description) === null;
}

/**
 * Whether a value is written as a time, by the format of its stream.
 * @param {any} value
 * @param {Record<string, any>} description
 * @param {Place} [place]
 * @returns {boolean}
 */
export function isTime(value, description, place = {}) {
  return isMoving(description) && wordOf(value, description) === null && timeOf(value, place) !== null;
}

/**
 * A value in the parts that a tile sets in different sizes.
 * @param {any} value
 * @param {Record<string, any>} description
 * @param {Place} place
 * @param {boolean} [narrow]  in fewer digits and a larger unit: "€ 1.28 M", "1.18 s"
 * @returns {Written}
 */
export function written(value, description, place, narrow = false) {
  const word = wordOf(value, description);
  if (word !== null) return alone(word);
  const format = Object.hasOwn(FORMATS, description.format ?? "") ? FORMATS[description.format] : FORMATS.number;
  return format(value, description, place, narrow) ?? alone(plainText(value, place));
}

/**
 * A value in one line: "€ 412,380", "312 ms", "open".
 * @param {any} value
 * @param {Record<string, any>} description
 * @param {Place} place
 * @param {boolean} [narrow]
 * @returns {string}
 */
export function inline(value, description, place, narrow = false) {
  return oneLine(written(value, description, place, narrow));
}

/** A time with an offset, as databases write it in rows. */
const DATED = /T.*(Z|[+-]\d\d:?\d\d)$/;

/**
 * A value in a cell of a list or a table: as `inline`, but without the unit, and whole numbers with all digits. A time with an
 * offset becomes a time of day.
 * @param {any} value  with BigInts where whole numbers are longer than a Number
 * @param {Record<string, any>} description
 * @param {Place} place
 * @returns {string}
 */
export function cell(value, description, place) {
  const { format, decimals } = description;
  const isPlain = format === undefined && decimals === undefined && wordOf(value, description) === null;
  if (isPlain && (typeof value === "bigint" || Number.isInteger(value))) return exact(value, place);
  if (isPlain && typeof value === "string" && DATED.test(value)) return inline(value, { format: "time" }, place);
  if (format === "duration" && Number.isFinite(value)) return durationCell(value, place);
  return inline(typeof value === "bigint" ? Number(value) : value, { ...description, unit: undefined }, place);
}

/** Numbers with more decimals than this are not aligned: the tile would be full of zeros. */
const MOST_DECIMALS = 3;

/**
 * The decimals with which the numbers of a column stand exactly below each other.
 * @param {any[]} values
 * @returns {number|undefined}  undefined: they are whole, or have too many
 */
export function decimalsOf(values) {
  const most = Math.max(0, ...values.map((value) => (typeof value === "number" ? decimalsIn(String(value)) : 0)));
  return most && most <= MOST_DECIMALS ? most : undefined;
}

/** How many decimals a written number has; Infinity with an exponent. @param {string} digits */
function decimalsIn(digits) {
  return digits.includes("e") ? Infinity : digits.split(".")[1]?.length ?? 0;
}

/**
 * The configured word for a value.
 * @param {any} value
 * @param {Record<string, any>} description
 * @returns {string|null}  null: it has no word
 */
export function wordOf(value, { words }) {
  if (!words || typeof value === "object") return null;
  const key = String(value);
  return Object.hasOwn(words, key) ? cut(String(words[key]), LONGEST_WORD) : null;
}

/** A value as text; yes or no for true and false. @param {any} value @param {Place} place */
function plainText(value, place) {
  return typeof value === "boolean" ? say(value ? "yes" : "no", place) : text(value, place);
}

/** @type {Format} */
function plainNumber(value, { unit, decimals }, place, narrow) {
  const isLong = Math.abs(value) >= (narrow ? 999.5 : 99_999.5) && (narrow || decimals === undefined);
  const scaled = isLong && unit ? inSeconds(value, unit, place, narrow) ?? scaledParts(value, String(unit), place) : null;
  return scaled ?? withUnit(numberParts(value, place, { decimals, narrow }), unit);
}

const SECONDS = { ns: 1e-9, µs: 1e-6, ms: 1e-3, s: 1 };

/** A long time as a duration, instead of a number of kiloseconds. @returns {Written|null}  null: it is short, or not a time */
function inSeconds(value, unit, place, narrow) {
  const seconds = Object.hasOwn(SECONDS, unit) ? value * SECONDS[unit] : 0;
  return Math.abs(seconds) >= 999.5 && Math.abs(seconds) < 1e12 ? durationParts(seconds, place, { narrow }) : null;
}

/** Signs that stand before their amount. */
const SIGNS = ["€", "$", "£"];

/** A number with the unit of its stream. @param {Written} parts @param {unknown} unit @returns {Written} */
function withUnit(parts, unit) {
  if (SIGNS.includes(String(unit))) return signed(parts, String(unit));
  return { ...parts, unit: [parts.unit, cut(String(unit ?? ""), LONGEST_UNIT)].filter(Boolean).join("\u202f") };
}

/** An amount with a currency's sign before it: −€ 5. @param {Written} parts @param {string} sign @returns {Written} */
function signed({ value, unit }, sign) {
  const isNegative = value.startsWith("\u2212");
  return { before: (isNegative ? "\u2212" : "") + sign, value: isNegative ? value.slice(1) : value, unit };
}

/** A text without a unit. @param {string} value @returns {Written} */
function alone(value) {
  return { before: "", value, unit: "" };
}

/** A format for numbers, which gives null for any other value. @param {Format} write @returns {Format} */
function ifNumber(write) {
  return (value, ...rest) => (Number.isFinite(value) ? write(value, ...rest) : null);
}

/**
 * A format for times, which gives null for any other value.
 * @param {(time: number, now: number, place: Place, precision: {narrow: boolean}) => string} write
 * @returns {Format}
 */
function ifTime(write) {
  return (value, _, place, narrow) => {
    const time = timeOf(value, place);
    return time === null ? null : alone(write(time, place.now ?? time, place, { narrow }));
  };
}
