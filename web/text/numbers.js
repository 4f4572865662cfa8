/** Writes numbers. Pure. Minus is U+2212, and groups are parted as the language does, spaces narrow and unbreakable. */

import { numberFormat } from "./language.js";
import { say } from "./words.js";

/**
 * @typedef {import("./language.js").Place} Place
 *
 * @typedef {object} Written  a value in the parts that a tile sets in different sizes
 * @property {string} before  a sign and a currency: "€", "−$"
 * @property {string} value
 * @property {string} unit  "ms", "M", "PB"
 *
 * @typedef {object} Precision
 * @property {number} [decimals]  the digits after the decimal point; left out: as many as a number of five digits has
 * @property {boolean} [narrow]  three digits and a larger unit if the number is long
 */

const NARROW = "\u202f";
const MINUS = "\u2212";
/** From this size on, all numbers are written with an exponent. With a unit such as "tn" they would still have a dozen digits. */
const EXTREME = 1e15;
/** From this size on, a number without decimals has a larger unit. */
const LONG = 99_999.5;

/** Large numbers in English, where Intl writes "m" (or "M") and "B". */
const ENGLISH = { k: "K", m: "M", B: "bn", T: "tn" };

/**
 * A number: 12,345 · 3.142 · 1.284 M · 1.2E−7.
 * @param {number} value
 * @param {Place} [place]
 * @param {Precision} [precision]
 * @returns {string}
 */
export function number(value, place = {}, precision = {}) {
  return oneLine(numberParts(value, place, precision));
}

/**
 * A number in its parts: the digits, and a larger unit such as k.
 * @param {number} value
 * @param {Place} place
 * @param {Precision} [precision]
 * @returns {Written}
 */
export function numberParts(value, place, { decimals, narrow } = {}) {
  const size = Math.abs(value);
  if (size >= EXTREME || (size < 1e-4 && size > 0 && decimals === undefined)) {
    return parts(value, place, { notation: "scientific", maximumSignificantDigits: 3 });
  }
  if (narrow ? size >= 999.5 : size >= LONG && decimals === undefined) {
    const compact = parts(value, place, { notation: "compact", maximumSignificantDigits: narrow ? 3 : 4 });
    if (compact.unit) return compact; // German has no word for a thousand: 128.431 is no longer than 128.400
  } else if (decimals !== undefined) {
    return parts(value, place, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  } else if (size < 1000 && !Number.isInteger(value)) {
    return parts(value, place, { maximumSignificantDigits: narrow ? 3 : 4 });
  }
  return parts(value, place, { maximumFractionDigits: 0 });
}

/**
 * All digits of a number, ungrouped: for identifiers, for whole numbers in tables, and for the full value behind a rounded
 * number.
 * @param {number|bigint} value  a bigint where the server sent more digits than a Number holds
 * @param {Place} [place]
 * @returns {string}
 */
export function exact(value, place = {}) {
  if (Number.isInteger(value) && Math.abs(Number(value)) < 1e21) return BigInt(value).toString().replace("-", MINUS);
  return String(value).replace(/-/g, MINUS).replace("e+", "e").replace(".", pointOf(place));
}

/** The decimal point of a language. @param {Place} place */
function pointOf(place) {
  return numberFormat(place, {}).formatToParts(0.5).find(({ type }) => type === "decimal")?.value ?? ".";
}

/**
 * An amount of money, the currency before it: € 412,380 · −€ 3.20 · CHF 12. If `narrow`: € 1.28 M.
 * @param {number} value
 * @param {string} currency  its ISO 4217 code
 * @param {Place} place
 * @param {Precision} [precision]
 * @returns {Written}
 */
export function moneyParts(value, currency, place, { decimals, narrow } = {}) {
  const { symbol, cents } = currencyOf(currency);
  // Cents of more than a thousand are noise, and so are cents of whole amounts.
  const digits = Number.isInteger(value) || Math.abs(value) >= 1000 ? 0 : cents;
  const amount = numberParts(Math.abs(value), place, { decimals: decimals ?? digits, narrow });
  const isNegative = value < 0 && !isZero(amount.value, place);
  return { ...amount, before: (isNegative ? MINUS : "") + symbol };
}

/** A currency's symbol, and how many decimals its amounts have. @param {string} currency @returns {{symbol: string, cents: number}} */
function currencyOf(currency) {
  if (!/^[A-Z]{3}$/.test(currency)) return { symbol: currency, cents: 2 }; // Intl would throw
  const format = numberFormat({ language: "en" }, { style: "currency", currency, currencyDisplay: "narrowSymbol" }); // French has "$US"
  const symbol = format.formatToParts(0).find(({ type }) => type === "currency")?.value ?? currency;
  return { symbol, cents: format.resolvedOptions().maximumFractionDigits ?? 2 };
}

/** Prefixes by the power of a thousand, from −3 on. */
const PREFIXES = ["n", "µ", "m", "", "k", "M", "G", "T", "P", "E"];
const NONE = 3;
const HIGHEST = PREFIXES.length - 1;
/** Units that take prefixes, with their present prefix. Metres, grams and minutes take none on a wall. */
const SCALING = /^([nµmkMGTPE]?)(s|B|bit|W|Wh|VA|J|Hz|V|A|Pa)(\/.*)?$/;

/**
 * A number of bytes in three digits: 3.2 PB, 412 kB. 1 kB is 1000 bytes.
 * @param {number} value
 * @param {Place} place
 * @param {Precision} [precision]  `narrow` changes nothing
 * @returns {Written}
 */
export function bytesParts(value, place, { decimals } = {}) {
  return scale(value, NONE, HIGHEST, say("byte", place), place, decimals);
}

/**
 * A number whose unit is scaled so that it has three digits: 1180 ms is 1.18 s.
 * @param {number} value
 * @param {string} unit
 * @param {Place} place
 * @returns {Written|null}  null: the unit takes no prefix
 */
export function scaledParts(value, unit, place) {
  const [, prefix, base, rest = ""] = unit.replace("\u03bc", "µ").match(SCALING) ?? [];
  if (base === undefined) return null;
  const highest = base === "s" ? NONE : HIGHEST; // nobody counts kiloseconds
  return scale(value, PREFIXES.indexOf(prefix), highest, base + rest, place);
}

/**
 * A value with the prefix that leaves it less than 1000.
 * @param {number} value
 * @param {number} at  the place of its prefix in PREFIXES
 * @param {number} highest
 * @param {string} base
 * @param {Place} place
 * @param {number} [decimals]
 * @returns {Written}
 */
function scale(value, at, highest, base, place, decimals) {
  let [size, prefix] = [value, at];
  while (Math.abs(size) >= 999.5 && prefix < highest) [size, prefix] = [size / 1000, prefix + 1];
  const isWhole = decimals === undefined || prefix === NONE;
  const { value: digits, unit } = numberParts(size, place, isWhole ? { narrow: true } : { decimals });
  return { before: "", value: digits, unit: (unit && unit + NARROW) + PREFIXES[prefix] + base };
}

/** The parts of a formatted number. @param {number} value @param {Place} place @param {Intl.NumberFormatOptions} options @returns {Written} */
function parts(value, place, options) {
  const format = numberFormat(place, options);
  let [digits, unit] = ["", ""];
  for (const { type, value: text } of format.formatToParts(value)) {
    if (type === "compact") unit = compactWord(text, format);
    else if (type === "minusSign" || type === "exponentMinusSign") digits += MINUS;
    else if (type === "group") digits += text.replace(/\s/, NARROW);
    else if (type !== "literal") digits += text;
  }
  const isSigned = digits.includes(MINUS) && !isZero(digits, place); // not −0, and not −0.001 in two digits
  return { before: "", value: isSigned ? digits : digits.replace(MINUS, ""), unit };
}

/** Whether all digits of a text are the zero of the language. @param {string} text @param {Place} place */
function isZero(text, place) {
  const zero = numberFormat(place, {}).format(0);
  return (text.match(/\p{Nd}/gu) ?? []).every((digit) => digit === zero);
}

/** The short form of a larger unit. @param {string} word @param {Intl.NumberFormat} format */
function compactWord(word, format) {
  const isEnglish = /^en\b/.test(format.resolvedOptions().locale);
  return isEnglish && Object.hasOwn(ENGLISH, word) ? ENGLISH[word] : word;
}

/**
 * The parts of a value in one line, with narrow spaces that do not break.
 * @param {Written} written
 * @returns {string}
 */
export function oneLine({ before, value, unit }) {
  return [before, value, unit].filter(Boolean).join(NARROW);
}
