/** The summary of a wall: how many tiles there are, and how many need somebody. Pure. */

/** @typedef {import("./evidence.js").Assessment} Assessment */

/** The levels and states that the summary counts, with the words for them. */
const COUNTED = [
  ["level", "critical", "critical"],
  ["level", "warn", "warning"],
  ["state", "failed", "failed"],
  ["state", "late", "late"],
  ["state", "waiting", "waiting"],
];
/** The most alarms that are read out at once. */
const ALARMS = 5;

/**
 * @param {(Assessment|null)[]} assessments  of all tiles
 * @returns {string}  such as "12 tiles · 1 critical · 2 late"
 */
export function summaryOf(assessments) {
  const counts = COUNTED.map(([key, value, word]) => [assessments.filter((each) => each?.[key] === value).length, word]);
  const words = counts.filter(([count]) => count).map(([count, word]) => `${count} ${word}`);
  return [`${assessments.length} ${assessments.length === 1 ? "tile" : "tiles"}`, ...words].join(" · ");
}

/**
 * Whether any tile is critical.
 * @param {(Assessment|null)[]} assessments
 * @returns {boolean}
 */
export function isUrgent(assessments) {
  return assessments.some((each) => each?.level === "critical");
}

/**
 * The tiles that are critical or failed, for somebody with a screen reader.
 * @param {{called: string, assessment: Assessment|null}[]} tiles
 * @returns {string}  empty if nothing is
 */
export function alarmsOf(tiles) {
  const alarming = tiles.filter(({ assessment }) => assessment?.level === "critical" || assessment?.state === "failed");
  return alarming.slice(0, ALARMS).map(({ called, assessment }) => `${called}: ${assessment?.evidence[0]}`).join(". ");
}
