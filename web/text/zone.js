/**
 * Time zones: the time that a clock on the wall shows, and the same time on another day. Pure.
 *
 * A day of a clock change has 23 or 25 hours (on Lord Howe Island 23.5 or 24.5). "The same time a week ago" is the time at which
 * a clock there showed the same: 14:00 is compared with 14:00.
 */

import { dateFormat } from "./language.js";

/** @typedef {import("./language.js").Place} Place */

/** All clock changes of today's zones happen at a multiple of a quarter of an hour, in UTC. */
const QUARTER = 900;
const DAY = 86_400;

/**
 * Quarter of an hour -> the seconds by which clocks are ahead of UTC. Kept, because Intl takes longer than the rest of a tile.
 * @type {Map<string, number>}
 */
const offsets = new Map();
const KEPT = 2000;

/** @type {Intl.DateTimeFormatOptions} */
const FIELDS = {
  year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
  hourCycle: "h23", calendar: "iso8601", numberingSystem: "latn",
};

/**
 * The time that a clock at a place shows, in seconds as if the clock showed UTC: 1970-01-01 01:00 in Berlin is 3600.
 * @param {number} time  in seconds since the epoch
 * @param {Place} place
 * @returns {number}
 */
export function wallClock(time, { timezone }) {
  const quarter = Math.floor(time / QUARTER) * QUARTER;
  const key = `${timezone} ${quarter}`;
  if (!offsets.has(key) && offsets.size >= KEPT) offsets.clear();
  const offset = offsets.get(key) ?? offsetAt(quarter, timezone);
  offsets.set(key, offset);
  return time + offset;
}

/**
 * The seconds by which a time zone is ahead of UTC at a time.
 * @param {number} time  in whole seconds
 * @param {string} [timezone]
 */
function offsetAt(time, timezone) {
  const parts = dateFormat({ language: "en", timezone }, FIELDS).formatToParts(time * 1000);
  const of = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(of.year, of.month - 1, of.day, of.hour, of.minute, of.second) / 1000 - time;
}

/**
 * The times at which a clock at a place shows this: usually one, two where the clock is set back, none where it is set forward.
 * @param {number} shown  as from `wallClock`
 * @param {Place} place
 * @returns {number[]}  in seconds since the epoch, the earlier first
 */
export function timesAt(shown, place) {
  // The offset of any moment near is that of a day before or a day after.
  const offsets = [-DAY, DAY].map((step) => wallClock(shown + step, place) - (shown + step));
  const times = [...new Set(offsets)].map((offset) => shown - offset);
  return times.filter((time) => wallClock(time, place) === shown).sort((a, b) => a - b);
}

/**
 * The same time some calendar days ago. If that hour came twice, it is the first one, unless the present hour is a second one as
 * well.
 * @param {number} time  in seconds since the epoch
 * @param {number} days
 * @param {Place} place
 * @returns {number|null}  null: the other day did not have that time, because the clock was set forward
 */
export function daysAgo(time, days, place) {
  const shown = wallClock(time, place);
  const then = timesAt(shown - days * DAY, place);
  const isSecond = then.length > 1 && timesAt(shown, place).indexOf(time) === 1;
  return then[isSecond ? 1 : 0] ?? null;
}

/**
 * The parts of a period that can be compared with the same times some calendar days ago. Within a part, the past is earlier by the
 * same number of seconds, so a line of the past is drawn by moving it.
 * @param {number} from  in seconds since the epoch
 * @param {number} to
 * @param {number} days
 * @param {Place} place
 * @returns {{from: number, to: number, shift: number}[]}  in order; a time that cannot be compared is in no part
 */
export function comparable(from, to, days, place) {
  const parts = [];
  for (let at = Math.floor(from / QUARTER) * QUARTER; at < to; at += QUARTER) {
    const then = daysAgo(at, days, place);
    const last = parts.at(-1);
    const end = Math.min(at + QUARTER, to);
    if (then === null) continue;
    if (last?.to === at && last.shift === at - then) last.to = end;
    else parts.push({ from: Math.max(at, from), to: end, shift: at - then });
  }
  return parts;
}
