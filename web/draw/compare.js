/** A line of the past, moved into the present. Pure. */

import { isGap, point, pointAt, within } from "./points.js";

/** @typedef {import("./points.js").Point} Point */

/**
 * The points of the past at the times with which they are compared. What is comparable with nothing, and what is not known, is a gap.
 * @param {Point[]} past  ascending
 * @param {{from: number, to: number, shift: number}[]} parts  of the present, as `comparable` returns them
 * @param {number} from  the window, in seconds
 * @param {number} to
 * @returns {Point[]}
 */
export function moved(past, parts, from, to) {
  /** @type {Point[]} */
  const ghost = [];
  let end = from;
  for (const part of parts) {
    const [begin, until] = [Math.max(part.from, from), Math.min(part.to, to)];
    if (begin >= until) continue;
    if (begin > end) ghost.push(point(end, NaN));
    ghost.push(...stretch(past, begin, until, part.shift));
    end = until;
  }
  if (end < to) ghost.push(point(end, NaN));
  return ghost;
}

/**
 * The points of the past for a part of the present, `shift` seconds later; a gap where they begin too late.
 * @returns {Point[]}
 */
function stretch(past, begin, end, shift) {
  const known = within(past, begin - shift, end - shift);
  if (known[0]?.[0] !== begin - shift) known.unshift(point(begin - shift, NaN));
  return known.map(([time, ...numbers]) => /** @type {Point} */ ([time + shift, ...numbers]));
}

/**
 * The value of the past at a time of the present; null if it is unknown.
 * @param {Point[]} ghost
 * @param {number} time
 * @returns {number|null}
 */
export function formerValue(ghost, time) {
  return pointAt(ghost, time)?.[2] ?? null;
}

/** Whether all of a past is unknown. @param {Point[]} ghost @returns {boolean} */
export function isEmpty(ghost) {
  return ghost.every(isGap);
}
