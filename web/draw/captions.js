/** The texts beside lines: names, numbers of the scale, times of the axis, and the change of a number. Pure. */

import { formerValue } from "./compare.js";
import { isGap, pointAt, today } from "./points.js";
import { decimalsOf } from "./scale.js";
import { dateFormat } from "../text/language.js";
import { number } from "../text/numbers.js";
import { againstDay, duration } from "../text/times.js";
import { inline } from "../text/values.js";
import { say } from "../text/words.js";

/** @typedef {import("../text/values.js").Now} Now @typedef {import("../kinds/kind.js").Part} Part @typedef {import("./points.js").Point} Point */

/** The longest and the shortest time in seconds for which a change is shown. */
const LONGEST = 3600;
const SHORTEST = 300;
/** From this size on, and for money, a comparison is in percent. */
const LARGE = 1000;
/** From this size on, a difference and the numbers of a scale have three digits. */
const LONG = 10_000;
/** Formats whose unit changes with the size of the number, so that a number without its unit means nothing. */
const SCALED = new Set(["bytes", "duration"]);
/** The characters at which a common beginning of names may end. Not a hyphen: of web-1 and web-2 only 1 and 2 would be left. */
const BREAK = /[\s.,:/·|]/;

/**
 * The names of lines beside each other, without their common beginning.
 * @param {string[]} labels  of the streams
 * @returns {string[]}
 */
export function namesBeside(labels) {
  if (labels.length < 2) return labels;
  const shortest = Math.min(...labels.map(({ length }) => length));
  let same = 0;
  while (same < shortest && labels.every((label) => label[same] === labels[0][same])) same++;
  while (same > 0 && !BREAK.test(labels[0][same - 1])) same--;
  const rest = labels.map((label) => label.slice(same).trim());
  return rest.every(Boolean) ? rest : labels;
}

/**
 * Quantiles from the lowest to the highest, by the last number of their names: p50, p95, p99. Their values may cross for a moment,
 * because one arrives after the other.
 * @template Quantile
 * @param {Quantile[]} quantiles
 * @param {string[]} labels
 * @returns {Quantile[]}  in their own order if a name has no number
 */
export function inOrder(quantiles, labels) {
  const numbers = labels.map((label) => Number(label.match(/\d+(?:\.\d+)?(?!.*\d)/)?.[0] ?? NaN));
  if (numbers.some(Number.isNaN)) return quantiles;
  return quantiles.map((quantile, i) => ({ quantile, number: numbers[i] })).sort((a, b) => a.number - b.number).map(({ quantile }) => quantile);
}

/**
 * The numbers of a scale, as short as possible while they differ.
 * @param {import("./scale.js").Scale} scale
 * @param {Record<string, any>} description
 * @param {Now} place
 * @returns {(value: number) => string}
 */
export function scaleTexts(scale, description, place) {
  const isLong = scale.ticks.some((tick) => Math.abs(tick) >= LONG);
  const short = (/** @type {number} */ value) => scaleText(value, description, place, isLong);
  if (new Set(scale.ticks.map(short)).size === scale.ticks.length) return short;
  return (value) => number(value, place, { decimals: decimalsOf(scale) });
}

/**
 * A number of a scale.
 * @param {number} value
 * @param {Record<string, any>} description
 * @param {Now} place
 * @param {boolean} [narrow]  in three digits and a larger unit
 * @returns {string}
 */
export function scaleText(value, description, place, narrow = Math.abs(value) >= LONG) {
  return SCALED.has(description.format) && value ? inline(value, description, place, true) : number(value, place, { narrow });
}

/** @type {Record<import("./hours.js").Tick["finest"], Intl.DateTimeFormatOptions>} */
const TIMES = {
  second: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
  minute: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  day: { weekday: "short" },
  week: { day: "numeric", month: "short" },
  month: { month: "short" },
};

/** A time of the axis: "08:00", "Mon", "23 Nov", "Nov". @param {import("./hours.js").Tick} tick @param {Now} place @returns {string} */
export function axisText({ time, finest }, place) {
  return dateFormat(place, TIMES[finest]).format(time * 1000);
}

/**
 * The difference between a number and its value some days ago: "+4.1 %" "on last Friday". Null if the old value is unknown.
 * @param {number} value
 * @param {Point[]|null} ghost  as `moved` returns it
 * @param {number} days
 * @param {Record<string, any>} description
 * @param {Now} place
 * @param {{narrow?: boolean}} [precision]  narrow: "on last Fri"
 * @returns {Part|null}
 */
export function changeAgainst(value, ghost, days, description, place, precision) {
  const former = ghost && formerValue(ghost, place.now);
  if (former === null || !Number.isFinite(value)) return null;
  const text = againstDay(days, place.now, place, precision);
  const isShare = former > 0 && (description.format === "money" || Math.abs(former) >= LARGE);
  if (!isShare) return { strong: signed(difference(value, Number(former.toFixed(digitsOf(value)))), description, place), text };
  const share = (value / former - 1) * 100;
  return { strong: `${sign(share)}${number(Math.abs(Number(share.toPrecision(2))), place)}\u202f%`, text };
}

/** A difference with no more decimals than its numbers: 23.4 − 23.2 is 0.2. @param {number} one @param {number} other */
function difference(one, other) {
  return Number((one - other).toFixed(Math.min(20, Math.max(digitsOf(one), digitsOf(other)))));
}

/** A number with the configured number of decimals. @param {number} value @param {number} [decimals] */
function rounded(value, decimals) {
  return decimals === undefined ? value : Number(value.toFixed(decimals));
}

/** The digits after the decimal point. @param {number} value */
function digitsOf(value) {
  const [digits, exponent = "0"] = String(value).split("e");
  return Math.max(0, (digits.split(".")[1] ?? "").length - Number(exponent));
}

/**
 * The recent change of a number: "+12" "in 1 h". Null without a change, or if the history is too short. A count of "today" is not
 * compared across midnight, because it begins anew.
 * @param {Point[]} points  ascending
 * @param {Record<string, any>} description
 * @param {Now} place
 * @returns {Part|null}
 */
export function changeOf(points, description, place) {
  const known = today(points);
  const last = known[known.length - 1];
  if (!last || isGap(last)) return null;
  const begin = Math.max(known[0][0], place.now - LONGEST);
  const first = pointAt(known, begin) ?? known.find((one) => one[0] > begin && !isGap(one)) ?? last;
  const since = Math.max(first[0], begin);
  const change = rounded(difference(last[4], first[4]), description.decimals); // "−0.0" is no change
  const seconds = Math.round(place.now - since);
  if (!change || seconds < SHORTEST) return null;
  return { strong: signed(change, description, place), text: say("changeIn", place, { time: duration(seconds, seconds === LONGEST ? 2 : 1, place) }) };
}

function sign(value) {
  return value < 0 ? "\u2212" : value > 0 ? "+" : "±";
}

/** A difference, in the format of the values but without their unit. */
function signed(difference, description, place) {
  const size = Math.abs(difference);
  return `${sign(difference)}${inline(size, { ...description, unit: "", words: undefined }, place, size >= LONG)}`;
}

/** The days of `compare`: "7d" in a description, seconds in a tile. @param {unknown} compare @returns {number}  0: none */
export function daysOf(compare) {
  const days = typeof compare === "number" ? compare / 86_400 : parseInt(String(compare ?? ""), 10);
  return days >= 1 ? Math.round(days) : 0;
}
