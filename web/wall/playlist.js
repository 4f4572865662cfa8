/** The playlist of a screen: which wall it shows at which time, and when it is dimmed. Pure. */

import { wallClock } from "../text/zone.js";

/** Minutes of a day. */
const DAY = 1440;
/** The first day of 1970 was a Thursday. */
const THURSDAY = 3;

/**
 * @typedef {object} Turn
 * @property {string} wall
 * @property {number} for  the least seconds for which the wall is shown
 * @property {[number, number]} [hours]  the minutes from midnight between which it is shown; left out: all day
 * @property {number[]} [days]  the days on which the hours begin, Monday is 0; left out: all days
 *
 * @typedef {object} Playlist  as GET /screens/NAME answers
 * @property {string} name
 * @property {Turn[]} walls  empty: the screen shows the wall in its address
 * @property {{hours: [number, number], to: number}} [dim]  when the screen is dimmed, and to which part of its brightness
 * @property {string} [timezone]  of the hours; left out: the browser's
 *
 * @typedef {{day: number, minute: number}} Moment  of a week: Monday is day 0
 */

/**
 * The day and the minute in a time zone.
 * @param {number} now  in seconds since the epoch
 * @param {string} [timezone]
 * @returns {Moment}
 */
export function momentOf(now, timezone) {
  const minutes = Math.floor(wallClock(now, { timezone }) / 60);
  return { day: (Math.floor(minutes / DAY) + THURSDAY) % 7, minute: minutes % DAY };
}

/**
 * Whether a moment is in these hours of these days. Hours over midnight belong to the day on which they began.
 * @param {{hours?: [number, number], days?: number[]}} when
 * @param {Moment} moment
 * @returns {boolean}
 */
export function isNow({ hours: [begin, end] = [0, DAY], days }, { day, minute }) {
  const on = (/** @type {number} */ number) => !days || days.includes(number);
  if (begin < end) return on(day) && minute >= begin && minute < end;
  return (on(day) && minute >= begin) || (on((day + 6) % 7) && minute < end);
}

/**
 * The turn to show. Walls with a critical tile come before all others, even outside their hours; several of them take turns. If
 * no wall is in its hours, the present one stays.
 * @param {Turn[]} turns  at least one
 * @param {number} shown  the index of the turn that is shown
 * @param {boolean} over  whether its time is over
 * @param {Moment} moment
 * @param {(wall: string) => boolean} isCritical
 * @returns {number}  an index; that of `shown` if it stays
 */
export function turnAt(turns, shown, over, moment, isCritical) {
  const urgent = turns.map(({ wall }) => isCritical(wall));
  const wanted = urgent.includes(true) ? urgent : turns.map((turn) => isNow(turn, moment));
  if (wanted[shown] && !over) return shown;
  for (let step = 1; step <= turns.length; step++) {
    const next = (shown + step) % turns.length;
    if (wanted[next]) return next;
  }
  return shown;
}

/**
 * The present brightness of a screen, as a share of its full brightness.
 * @param {Playlist} playlist
 * @param {Moment} moment
 * @returns {number}  1: it is not dimmed
 */
export function brightnessAt({ dim }, moment) {
  return dim && isNow(dim, moment) ? dim.to : 1;
}
