/** The summary of a wall: the needs (things that need attention), by name, the worst first. Pure. */

import { emsOf } from "../draw/numeral.js";
import { rankOf, RANKS, SIGNS } from "../text/ranks.js";
import { clock } from "../text/format.js";
import { say } from "../text/words.js";
import { textOf } from "./evidence.js";

/** @typedef {import("./evidence.js").Assessment} Assessment */
/** @typedef {import("../text/ranks.js").Rank} Rank */

/** The most alarms that are read out at once. */
const ALARMS = 5;
/** The space between two needs, and the room for "+12 more", in em. */
const GAP = 1;
const MORE = 4.5;

/**
 * @typedef {object} Summed  a tile
 * @property {string} called
 * @property {Assessment|null} assessment
 *
 * @typedef {object} Named
 * @property {Rank} rank
 * @property {string} name  with its sign: "■ Payments"
 * @property {string} text  its trouble
 * @property {string} [since]  how long: left out if this makes room for more names
 */

/**
 * The needs of all tiles, the worst first; equal ones in the order of the tiles.
 * @param {Summed[]} tiles
 * @param {number} now  in seconds
 * @param {import("../text/language.js").Place} [place]
 * @returns {Named[]}
 */
export function needsOf(tiles, now, place = {}) {
  const named = tiles.flatMap(({ called, assessment }) => (assessment ? namedOf(called, assessment, now, place) : []));
  return RANKS.flatMap((rank) => named.filter((one) => one.rank === rank));
}

/** The names and reasons of a tile that is not well. @param {string} called @param {Assessment} assessment @returns {Named[]} */
function namedOf(called, { state, level, evidence, since, needs = [], members = [] }, now, place) {
  if (members.length && state === "current") return members.flatMap((one) => namedOf(one.called, one.assessment, now, place));
  const parts = needs.map(({ name, text = "", level }) => ({ rank: level, name: `${SIGNS[level]} ${name}`, text }));
  const rank = rankOf(state, level);
  // A level is that of the parts, which are named already. That the tile has failed, or is late, is not.
  if (rank === "ok" || (parts.length && state === "current")) return parts;
  const when = since ? say("sinceTime", place, { time: clock(since, now, place) }) : "";
  const reason = rank === "failed" ? say("failed", place) : rank === "late" || rank === "waiting" ? textOf(evidence[0]) : limitOf(evidence);
  const told = rank === "late" || rank === "waiting" ? "" : when;
  return [...parts, { rank, name: [SIGNS[rank], called].filter(Boolean).join(" "), text: reason, since: told }];
}

/** The limit in words, without its sign. @param {import("./evidence.js").Part[]} evidence */
function limitOf([first]) {
  return textOf(first ?? {}).replace(/^\S+ /, "");
}

/**
 * The needs for which there is room, at least the first one. If not all have room, names are more important than times.
 * @param {Named[]} needs
 * @param {number} room  in em
 * @returns {{shown: {rank: Rank, name: string, text: string}[], more: number}}
 */
export function fitNeeds(needs, room) {
  const whole = needs.map(({ rank, name, text, since }) => ({ rank, name, text: [text, since].filter(Boolean).join(" ") }));
  const fitting = firstNeeds(whole, room);
  return fitting.more ? firstNeeds(needs, room) : fitting;
}

/** The first names for which there is room, and the number of the others. @param {Named[]} needs @param {number} room */
function firstNeeds(needs, room) {
  const widths = needs.map(({ name, text }) => emsOf(`${name} ${text}`) + GAP);
  let [count, used] = [0, 0];
  while (count < needs.length && used + widths[count] <= room - (count + 1 < needs.length ? MORE : 0)) used += widths[count++];
  const shown = needs.slice(0, Math.max(1, count));
  return { shown, more: needs.length - shown.length };
}

/**
 * Whether every tile is known to be well.
 * @param {Summed[]} tiles
 * @returns {boolean}
 */
export function isCalm(tiles) {
  return tiles.length > 0 && tiles.every(({ assessment }) => assessment?.state === "current" && assessment.level === "ok");
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
 * The tiles that are critical or failed, as a text for screen readers.
 * @param {Summed[]} tiles
 * @returns {string}  empty if no tile is
 */
export function alarmsOf(tiles) {
  const alarming = tiles.filter(({ assessment }) => assessment?.level === "critical" || assessment?.state === "failed");
  return alarming.slice(0, ALARMS).map(({ called, assessment }) => `${called}: ${textOf(assessment?.evidence[0])}`).join(". ");
}
