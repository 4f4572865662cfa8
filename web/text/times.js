/** Writes durations and times. Pure: the time is an argument. */

import { dateFormat } from "./language.js";
import { number } from "./numbers.js";
import { say } from "./words.js";
import { wallClock } from "./zone.js";

/** @typedef {import("./language.js").Place} Place */

const DAY = 86_400;
const SPACE = "\u00a0";

/** @type {[number, string][]} */
const UNITS = [[DAY, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

/**
 * A duration in its largest unit, or its two largest: "3 min", "3 min 10 s". The spaces do not break.
 * @param {number} seconds
 * @param {1|2} [units]  how many
 * @param {Place} [place]
 * @returns {string}
 */
export function duration(seconds, units = 1, place = {}) {
  let rest = Math.max(0, Math.floor(seconds));
  // One unit alone stays the smaller one up to 100 s and 100 min: "70 s" says more than "1 min".
  const smaller = units === 1 ? 100 / 60 : 1;
  const first = UNITS.findIndex(([size]) => rest >= size * (size > 1 && size < DAY ? smaller : 1));
  if (first < 0) return `0${SPACE}${say("second", place)}`;
  const words = UNITS.slice(first, first + units).map(([size, unit]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count ? `${number(count, place)}${SPACE}${say(unit, place)}` : "";
  });
  return words.filter(Boolean).join(" ");
}

/**
 * A duration as a value: 45 ms · 1.18 s · 3 min 20 s · 1 d 2 h. If `narrow`: 3 min · 1 d.
 * @param {number} seconds
 * @param {Place} place
 * @param {{narrow?: boolean}} [precision]
 * @returns {import("./numbers.js").Written}
 */
export function durationParts(seconds, place, { narrow } = {}) {
  const size = Math.abs(seconds);
  if (size >= 99.95) {
    const text = duration(Math.round(size), narrow ? 1 : 2, place).replaceAll(" ", SPACE);
    return { before: "", value: (seconds < 0 ? "\u2212" : "") + text, unit: "" };
  }
  const [shown, unit] = size < 0.9995 && size > 0 ? [seconds * 1000, "millisecond"] : [seconds, "second"];
  return { before: "", value: number(shown, place, { narrow: true }), unit: say(unit, place) };
}

/**
 * A duration in a cell of a table, where digits stand below each other: "0:48", "3:20", "1:02:05", and "1 d 2 h" from a day on.
 * @param {number} seconds
 * @param {Place} [place]
 * @returns {string}
 */
export function durationCell(seconds, place = {}) {
  const whole = Math.round(Math.abs(seconds));
  const sign = seconds < 0 && whole ? "\u2212" : "";
  if (whole >= DAY) return sign + duration(whole, 2, place);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, String(whole % 60).padStart(2, "0")];
  return sign + (hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`);
}

/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const FORMS = {
  clock: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  day: { day: "numeric", month: "short" },
  date: { day: "numeric", month: "short", year: "numeric" },
  weekday: { weekday: "long" },
  "short weekday": { weekday: "short" },
};

/** A time in one of the forms. @param {string} form @param {number} time @param {Place} place */
function write(form, time, place) {
  return dateFormat(place, FORMS[form]).format(time * 1000);
}

/**
 * A time of day, with the date if it is not today: "14:02", "21 Nov 14:02", and only the date in another year: "3 Jan 1970".
 * @param {number} time  seconds since the epoch
 * @param {number} now  seconds since the epoch
 * @param {Place} [place]
 * @returns {string}
 */
export function clock(time, now, place = {}) {
  if (!isTime(time)) return "?";
  if (dayOf(time, place) === dayOf(now, place)) return write("clock", time, place);
  const day = date(time, now, place);
  return yearOf(time, place) === yearOf(now, place) ? `${day} ${write("clock", time, place)}` : day;
}

/**
 * A day: "21 Nov", and in another year "3 Jan 1970".
 * @param {number} time  seconds since the epoch
 * @param {number} now  seconds since the epoch
 * @param {Place} [place]
 * @returns {string}
 */
export function date(time, now, place = {}) {
  if (!isTime(time)) return "?";
  return write(yearOf(time, place) === yearOf(now, place) ? "day" : "date", time, place);
}

/**
 * How long ago a time is: "3 h ago", never 0. For a future time: "in 3 h".
 * @param {number} time  seconds since the epoch
 * @param {number} now  seconds since the epoch
 * @param {Place} [place]
 * @returns {string}
 */
export function since(time, now, place = {}) {
  const away = duration(Math.max(1, Math.abs(now - time)), 1, place);
  return say(time > now ? "ahead" : "ago", place, { time: away });
}

/**
 * How long it is until a time: "2 d 4 h". After it: "3 h ago".
 * @param {number} time  seconds since the epoch
 * @param {number} now  seconds since the epoch
 * @param {Place} [place]
 * @param {{narrow?: boolean}} [precision]
 * @returns {string}
 */
export function until(time, now, place = {}, { narrow } = {}) {
  if (time <= now) return since(time, now, place);
  return duration(Math.ceil(time - now), narrow ? 1 : 2, place).replaceAll(" ", SPACE);
}

/**
 * The name of the day some days ago: "yesterday", "last Friday", "21 Nov". If `narrow`: "last Fri".
 * @param {number} days  as in `compare`
 * @param {number} now  seconds since the epoch
 * @param {Place} [place]
 * @param {{narrow?: boolean}} [precision]
 * @returns {string}
 */
export function pastDay(days, now, place = {}, { narrow } = {}) {
  if (days === 1) return say("yesterday", place);
  const noon = noonOf(days, now, place);
  const there = { ...place, timezone: "UTC" };
  return days === 7 ? say("lastDay", place, { day: write(weekday(narrow), noon, there) }) : date(noon, wallClock(now, place), there);
}

/**
 * The end of a comparison with the day some days ago: "on yesterday", "on last Friday", "on 21 Nov".
 * @param {number} days  as in `compare`
 * @param {number} now  seconds since the epoch
 * @param {Place} [place]
 * @param {{narrow?: boolean}} [precision]
 * @returns {string}
 */
export function againstDay(days, now, place = {}, { narrow } = {}) {
  if (days !== 7) return say("against", place, { day: pastDay(days, now, place) });
  return say("againstLastDay", place, { day: write(weekday(narrow), noonOf(days, now, place), { ...place, timezone: "UTC" }) });
}

/** The form for a day of the week. @param {boolean} [narrow] */
function weekday(narrow) {
  return narrow ? "short weekday" : "weekday";
}

/** Noon, in UTC, of the day some days ago. Subtracting 24 hours for each day would fail where the clock changes. */
function noonOf(days, now, place) {
  return (dayOf(now, place) - days + 0.5) * DAY;
}

/** Whether a Date can hold a time. @param {number} time @returns {boolean} */
function isTime(time) {
  return !Number.isNaN(new Date(time * 1000).getTime());
}

/** The number of a day, by the clock at a place. @param {number} time @param {Place} place */
function dayOf(time, place) {
  return Math.floor(wallClock(time, place) / DAY);
}

/** The year of a time, on the clock of the place. @param {number} time @param {Place} place */
function yearOf(time, place) {
  return new Date(wallClock(time, place) * 1000).getUTCFullYear();
}
