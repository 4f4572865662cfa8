/** A number on its way to a goal, as shares of a bar. Pure. */

/**
 * @typedef {object} Progress
 * @property {number} share  of the goal: 1 is all of it
 * @property {number} filled  the part of the bar that is filled, 0 to 1
 * @property {number|null} tick  where the bar should end by now, 0 to 1; null: the goal has no time
 * @property {number|null} goal  the place of the goal in a bar that goes beyond it, 0 to 1; null: the goal is the end of the bar
 * @property {number|null} ahead  by how much the number is ahead of its time; negative: behind; null: the goal has no time
 */

/**
 * Measure a number against its goal.
 * @param {number} value
 * @param {number} goal  not 0; negative if the number is to fall below zero
 * @param {{from: number|null, by: number}|null} span  the time for the goal, in seconds
 * @param {number} now  in seconds
 * @returns {Progress}
 */
export function measure(value, goal, span, now) {
  const share = value / goal;
  const due = span && span.from !== null && span.by > span.from ? clamp((now - span.from) / (span.by - span.from)) : null;
  const end = Math.max(1, share);
  return {
    share,
    filled: clamp(share / end),
    tick: due === null ? null : due / end,
    goal: share > 1 ? 1 / end : null,
    ahead: due === null ? null : value - due * goal,
  };
}

/** The nearest number from 0 to 1. @param {number} share */
function clamp(share) {
  return Math.min(1, Math.max(0, share));
}
