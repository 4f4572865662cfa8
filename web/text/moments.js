/** Times that a value or a description holds, as seconds since the epoch. Pure. */

import { timesAt, wallClock } from "./zone.js";

/** @typedef {import("./language.js").Place} Place */

const DAY = 86_400;
/** A date, perhaps with a time, perhaps with an offset, as ISO 8601 and databases write it. */
const MOMENT = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?$/;
const OF_DAY = /^\d\d:\d\d(:\d\d(\.\d+)?)?$/;

/**
 * The time that a value holds: a number of seconds since the epoch, or a text in ISO 8601. Without an offset it is a time at this
 * place; a date means its beginning.
 * @param {unknown} value
 * @param {Place} place
 * @returns {number|null}  null: it is not a time, or no Date can hold it
 */
export function timeOf(value, place) {
  if (typeof value === "number") return Number.isNaN(new Date(value * 1000).getTime()) ? null : value;
  const [, date, time = "00:00", offset] = (typeof value === "string" && value.match(MOMENT)) || [];
  if (!date) return null;
  const seconds = Date.parse(`${date}T${time}${offset ? offset.replace(/(\d\d)(\d\d)$/, "$1:$2") : "Z"}`) / 1000;
  if (Number.isNaN(seconds)) return null;
  return offset ? seconds : earliest(seconds, place);
}

/** The time at which a clock at a place shows this. A time that a clock change skips counts as the end of the skipped time. */
function earliest(shown, place) {
  const [time] = timesAt(shown, place);
  if (time !== undefined) return time;
  const before = shown - DAY;
  return shown - (wallClock(before, place) - before); // the offset before the change: 02:30 becomes 03:30
}

/**
 * The beginning and the end of the time for a goal, by `from` and `by` of a description. A time of every day means today's.
 * @param {Record<string, any>} description
 * @param {Place & {now: number}} place
 * @returns {{from: number|null, by: number}|null}  from is null if none is configured; null: there is no `by`
 */
export function spanOf({ from, by }, place) {
  const end = momentOf(by, place, true);
  return end === null ? null : { from: momentOf(from, place, false), by: end };
}

/**
 * The share that is left of the time from a beginning to an end, 0 to 1.
 * @param {unknown} end  what `timeOf` takes
 * @param {Record<string, any>} description  with `from`, when the time begins
 * @param {Place & {now: number}} place
 * @returns {number|null}  null: the beginning is not known, or is not before the end
 */
export function leftUntil(end, { from }, place) {
  const [begin, until] = [momentOf(from, place, false), timeOf(end, place)];
  if (begin === null || until === null || begin >= until) return null;
  return Math.min(1, Math.max(0, (until - place.now) / (until - begin)));
}

/**
 * The time that a written moment stands for, in seconds since 1970; null if it is none.
 * @param {unknown} written
 * @param {Place & {now: number}} place
 * @param {boolean} isEnd  a date ends with its day
 */
function momentOf(written, place, isEnd) {
  if (typeof written !== "string") return null;
  const today = new Date(wallClock(place.now, place) * 1000).toISOString().slice(0, 10);
  if (OF_DAY.test(written)) return timeOf(`${today}T${written}`, place);
  if (!isEnd || written.length > 10) return timeOf(written, place);
  const next = new Date(Date.parse(`${written}T00:00Z`) + DAY * 1000);
  return Number.isNaN(next.getTime()) ? null : timeOf(next.toISOString().slice(0, 10), place);
}
