/** Round times on the axis of a chart: minutes, hours, days or months, as clocks in the wall's zone show them. Pure. */

import { timesAt, wallClock } from "../text/zone.js";

/** @typedef {import("../text/language.js").Place} Place */

const [MINUTE, HOUR, DAY] = [60, 3600, 86_400];
/** Steps up to a week, in seconds. */
const STEPS = [
  1, 2, 5, 10, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY,
];
/** Monday, 5 January 1970: weeks begin at multiples of seven days from here. */
const MONDAY = 4 * DAY;
/** Steps in months. */
const MONTHS = [1, 2, 3, 6, 12];
const MONTH = 30 * DAY;

/**
 * @typedef {object} Tick
 * @property {number} time  in seconds since 1970
 * @property {"second"|"minute"|"day"|"week"|"month"} finest  how exact its text must be; whole hours have "minute", too
 */

/**
 * The round times within a period.
 * @param {number} from  in seconds since 1970
 * @param {number} to
 * @param {number} most  how many, at most: as many as there is room for
 * @param {Place} place  whose clocks count
 * @returns {Tick[]}
 */
export function roundTimes(from, to, most, place) {
  if (!(to > from) || most < 1) return [];
  const step = STEPS.find((size) => (to - from) / size <= most);
  return step ? byClock(from, to, step, place) : byMonth(from, to, most, place);
}

/** The ticks every `step` seconds, at round times of the clock. @returns {Tick[]} */
function byClock(from, to, step, place) {
  const origin = step === 7 * DAY ? MONDAY : 0;
  /** @type {Tick["finest"]} */
  const finest = step >= 7 * DAY ? "week" : step >= DAY ? "day" : step >= MINUTE ? "minute" : "second";
  const end = Math.max(wallClock(from, place) + to - from, wallClock(to, place));
  const ticks = [];
  for (let shown = Math.ceil((wallClock(from, place) - HOUR - origin) / step) * step + origin; shown <= end + HOUR; shown += step) {
    const [time = NaN] = timesAt(shown, place);
    if (time >= from && time <= to) ticks.push({ time, finest });
  }
  return ticks;
}

/** The ticks at the beginnings of months, at most `most`. @returns {Tick[]} */
function byMonth(from, to, most, place) {
  const step = MONTHS.find((months) => (to - from) / (months * MONTH) <= most) ?? Math.ceil((to - from) / (12 * MONTH * most)) * 12;
  const first = new Date(wallClock(from, place) * 1000);
  const ticks = [];
  for (let month = Math.floor(first.getUTCMonth() / step) * step; ; month += step) {
    const [time = NaN] = timesAt(Date.UTC(first.getUTCFullYear(), month) / 1000, place);
    if (time > to) return ticks;
    if (time >= from) ticks.push({ time, finest: /** @type {const} */ ("month") });
  }
}
