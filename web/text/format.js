/** How values, durations, times of day and limits are written. Pure: the time is an argument. */

/** The most characters of a text that a tile can show. A value may have 64 KiB. */
const LONGEST = 600;

const FULL = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const FINE = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 4 });
const LARGE = new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 4 });
const EXTREME = new Intl.NumberFormat(undefined, { notation: "scientific", maximumSignificantDigits: 3 });

/**
 * A number in at most five significant digits, as the browser's language writes it: 12,345 · 3.142 · 1.284 M · 1.2E-7.
 * @param {number} number
 * @returns {string}
 */
export function number(number) {
  const size = Math.abs(number);
  if (size >= 1e15 || (size < 1e-4 && size > 0)) return EXTREME.format(number);
  if (size >= 99_999.5) return spaced(LARGE.formatToParts(number));
  return (size >= 1000 || Number.isInteger(number) ? FULL : FINE).format(number + 0); // adding 0 turns -0 into 0
}

/** Puts a narrow space before the M of "1.284M", unless the language has a space of its own there. */
function spaced(parts) {
  const words = parts.map(({ type, value }, i) => (type === "compact" && parts[i - 1].type !== "literal" ? `\u202f${value}` : value));
  return words.join("");
}

/**
 * Any JSON value as text of bounded length. Numbers are written by `number`, null is a dash. Text stays as it is, but a blank
 * one is quoted to be seen. Everything else is compact JSON.
 * @param {any} value
 * @returns {string}
 */
export function text(value) {
  if (typeof value === "number") return number(value);
  if (value === null || value === undefined) return "—";
  return cut(typeof value === "string" && value.trim() ? value : json(value), LONGEST);
}

function json(value) {
  try {
    return JSON.stringify(value);
  } catch {
    return "(nested too deeply to show)"; // JSON.parse has no limit of depth; JSON.stringify overflows the stack
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

/** @type {[number, string][]} */
const UNITS = [[86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

/**
 * A duration in its largest unit, or its two largest: "3 min", "3 min 10 s". The spaces do not break.
 * @param {number} seconds
 * @param {1|2} [units]  how many
 * @returns {string}
 */
export function duration(seconds, units = 1) {
  let rest = Math.max(0, Math.floor(seconds));
  // One unit alone stays the smaller one up to 100 s and 100 min: "70 s" says more than "1 min".
  const smaller = units === 1 ? 100 / 60 : 1;
  const first = UNITS.findIndex(([size]) => rest >= size * (size > 1 && size < 86_400 ? smaller : 1));
  if (first < 0) return "0\u00a0s";
  const words = UNITS.slice(first, first + units).map(([size, unit]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count ? `${count}\u00a0${unit}` : "";
  });
  return words.filter(Boolean).join(" ");
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });

/**
 * A time of day, with the date if it is not today: "14:02", "21 Nov 14:02", and only the date in another year: "3 Jan 1970".
 * @param {number} time  seconds since the epoch
 * @param {number} now  seconds since the epoch
 * @returns {string}
 */
export function clock(time, now) {
  const then = new Date(time * 1000);
  if (Number.isNaN(then.getTime())) return "?"; // a Date cannot hold it
  const today = new Date(now * 1000);
  if (then.toDateString() === today.toDateString()) return CLOCK.format(then);
  if (then.getFullYear() !== today.getFullYear()) return DATE.format(then);
  return `${DAY.format(then)} ${CLOCK.format(then)}`;
}

const LIMITS = { "<": "below", "<=": "at most", ">": "above", ">=": "at least", "==": "at", "!=": "not" };

/**
 * A configured limit in words: "> 80" is "above 80".
 * @param {unknown} limit
 * @returns {string}
 */
export function limit(limit) {
  if (typeof limit !== "string") return "";
  const [, sign, value] = limit.match(/^\s*([<>]=?|[=!]=)\s*(.*)$/s) ?? [];
  return cut(sign ? `${LIMITS[sign]} ${value}` : limit, 60);
}
