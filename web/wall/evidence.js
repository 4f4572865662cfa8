/**
 * The words of a tile about its streams. Pure: the time is an argument.
 *
 * The level (colour) is about the world; the state (texture) is about our knowledge of it. A value that is not current has no
 * level.
 */

import { dueTime, stateOf } from "../client/health.js";
import { label } from "../text/face.js";
import { clock, cut, duration, limit } from "../text/format.js";
import { Misfit } from "../text/misfit.js";
import { say } from "../text/words.js";

/** The age of a value is shown only from this many seconds on: on most walls many values stay the same for minutes. */
const NOW = 600;
/** Seconds by which a value may be ahead of the server's clock before its tile says so. */
const AHEAD = 5;

/** The signs of the levels beyond a limit. */
const SIGNS = { warn: "▲", critical: "■" };

/**
 * @typedef {import("../client/link.js").Stream} Stream
 * @typedef {import("../client/health.js").Picture & {history?: import("../client/history.js").History}} Picture
 * @typedef {import("../client/health.js").State} State
 * @typedef {import("../kinds/kind.js").Part} Part
 *
 * @typedef {object} Assessment
 * @property {State} state
 * @property {"ok"|"warn"|"critical"} level
 * @property {Part[]} evidence  the most important first: those that do not fit are left out
 * @property {string} [age]  of the value, in words; empty: the value is young, or its recent change is shown; undefined: the
 *   evidence has something more important
 * @property {number} [since]  when the state or the level began, in seconds
 * @property {import("../kinds/kind.js").Need[]} [needs]  the parts of the tile that need attention
 * @property {{called: string, assessment: Assessment}[]} [members]  the streams of a tile of many parts, each for itself
 */

/** States and levels, the worst first. @type {State[]} */
const WORST = ["lost", "failed", "catching-up", "late", "unconfirmed", "waiting", "current"];
/** @type {Assessment["level"][]} */
const LEVELS = ["critical", "warn", "ok"];

/**
 * Assess one stream.
 * @param {Stream} stream
 * @param {Picture} picture
 * @param {Part[]} [parts]  the kind's parts about a current value
 * @returns {Assessment}
 */
export function assess(stream, picture, parts = []) {
  const state = stateOf(stream, picture);
  const { level: judged = "ok" } = stream.health;
  const level = state === "current" && Object.hasOwn(SIGNS, judged) ? judged : "ok";
  const own = EVIDENCE[state](stream, picture, level).filter(Boolean).map((text) => /** @type {Part} */ ({ text }));
  if (state === "failed") own[0] = { strong: own[0].text };
  const { since } = stream.health;
  if (state !== "current") return { state, level, evidence: [...own, ...parts.filter(({ always }) => always)], age: own.length > 1 ? undefined : own.map(textOf).join(), since };
  // A value with a change has one of late: its age would say nothing new.
  return { state, level, evidence: [...signParts(stream, level, picture), ...(parts.length ? parts : own)], age: own.map(textOf).join(), since: level === "ok" ? since : beyondSince(stream, level, picture) };
}

/**
 * The time at which a level began. `health.since` may be later: after a start of the daemon, or if the value was published with
 * its time.
 */
function beyondSince(stream, level, picture) {
  const { time, health } = stream;
  return Math.min(...[health.since, time, picture.history?.spans?.began(stream, level)].filter((each) => each !== undefined));
}

/** The limit that a value is beyond, in the colour of its level. @returns {Part[]} */
function signParts(stream, level, picture) {
  return level === "ok" ? [] : [{ strong: sign(stream, level, picture), level }];
}

/**
 * Assess several streams on one tile: their worst state, their worst level, and the stream with that level.
 * @param {Stream[]} streams  at least one
 * @param {Picture} picture
 * @param {Part[]} [parts]  the kind's parts about current values
 * @returns {Assessment}
 */
export function assessAll(streams, picture, parts = []) {
  const each = streams.map((stream) => ({ stream, ...assess(stream, picture, parts) }));
  const state = WORST.find((state) => each.some((one) => one.state === state)) ?? "lost";
  const level = worstLevel(each);
  const worst = each.find((one) => (state === "current" && level !== "ok" ? one.level === level : one.state === state)) ?? each[0];
  const [first, ...rest] = worst.evidence;
  const { since } = worst;
  if (state === "current" && level === "ok") return { state, level, evidence: worst.evidence, since };
  const key = first.strong ? "strong" : "text";
  return { state, level, evidence: [{ ...first, [key]: `${first[key]}: ${label(worst.stream)}` }, ...rest], since };
}

/**
 * Assess the streams of a tile that shows each one's state: a late stream does not make the others late. The state of the tile is
 * the best state of its streams.
 * @param {Stream[]} streams  at least one
 * @param {Picture} picture
 * @param {Part[]} [parts]  the kind's parts
 * @returns {Assessment}
 */
export function assessEach(streams, picture, parts = []) {
  const each = streams.map((stream) => ({ called: label(stream), assessment: assess(stream, picture) }));
  const assessments = each.map(({ assessment }) => assessment);
  const state = [...WORST].reverse().find((state) => assessments.some((one) => one.state === state)) ?? "lost";
  if (state !== "current") return { ...(assessments.find((one) => one.state === state) ?? assessments[0]), members: each };
  return { state, level: worstLevel(assessments), evidence: parts, members: each };
}

/** The worst level of several. @param {{level: Assessment["level"]}[]} each */
function worstLevel(each) {
  return LEVELS.find((level) => each.some((one) => one.level === level)) ?? "ok";
}

/**
 * Assess streams that the tile's kind cannot show. The fault is the page's own, so it says nothing about the world: no level.
 * @param {unknown} error
 * @param {Picture} picture
 * @param {Stream[]} streams
 * @returns {Assessment}
 */
export function assessBroken(error, picture, streams) {
  const [stream] = streams;
  const wrong = error instanceof Misfit && streams.length > 1 ? streams.find(({ value }) => error.isAbout(value)) : undefined;
  const cure = wrong && say("ownTile", picture, { name: label(wrong) });
  const reason = cut([messageOf(error, picture), cure].filter(Boolean).join("; "), 200);
  const state = stateOf(stream, picture) === "lost" ? "lost" : "failed";
  return { state, level: "ok", evidence: [{ strong: `✕ ${say("cannotBeShown", picture, { reason })}` }, { text: former(stream, picture) }] };
}

/** A part of the evidence as plain text. @param {Part} [part] @returns {string} */
export function textOf({ strong, text } = {}) {
  return [strong, text].filter(Boolean).join(" ");
}

/** The message of an error, for the viewer. @param {unknown} error @param {Picture} picture */
function messageOf(error, picture) {
  try {
    if (error instanceof Misfit) return error.sentence(picture);
    return String(error instanceof Error ? error.message : error);
  } catch {
    return say("unknownError", picture); // an object without a usable toString was thrown
  }
}

/** @type {Record<State, (stream: Stream, picture: Picture, level: Assessment["level"]) => string[]>} */
const EVIDENCE = {
  current: (stream, picture) => [age(stream, picture)],
  waiting: (stream, picture) => [sinceWhen("waiting", stream, picture)],
  late: (stream, picture) => [lateness(stream, picture), former(stream, picture)],
  failed: (stream, picture) => [`✕ ${cut(String(stream.health.error || say("failed", picture)), 200)}`, former(stream, picture)],
  "catching-up": (stream, picture) => [say("catchingUp", picture), former(stream, picture)],
  unconfirmed: (stream, picture) => [say("unconfirmed", picture), former(stream, picture)],
  lost: (stream, picture) => [former(stream, picture), formerLevel(stream, picture)],
};

/** The last known level, in words: colour is only for the present level. */
function formerLevel(stream, picture) {
  const { level = "ok" } = stream.health;
  return Object.hasOwn(SIGNS, level) ? say("was", picture, { level: sign(stream, level, picture) }) : "";
}

function sign({ description }, level, picture) {
  return level === "ok" ? "" : `${SIGNS[level]} ${limit(description[level], description, picture) || say(level, picture)}`;
}

/** The text about the age of a value; empty if it is young. @param {Stream} stream @param {Picture} picture */
function age({ time = NaN }, picture) {
  const { now } = picture;
  if (time > now + AHEAD) return say("dated", picture, { time: clock(time, now, picture) });
  if (now - time < NOW) return "";
  return say("unchanged", picture, { time: duration(now - time, 1, picture) });
}

/** The text about a value that is no longer current. @param {Stream} stream @param {Picture} picture */
function former({ seq, time = NaN }, picture) {
  return seq ? say("valueOf", picture, { time: clock(time, picture.now, picture) }) : say("noValue", picture);
}

/** The text about why, or for how long, a stream is late. @param {Stream} stream @param {Picture} picture */
function lateness(stream, picture) {
  const { health } = stream;
  if (health.state === "late" && health.error) return cut(String(health.error), 200);
  const late = picture.now - dueTime(stream);
  return late >= 0 ? say("lateBy", picture, { time: duration(late, 1, picture) }) : sinceWhen("late", stream, picture);
}

/**
 * The text about a state, with the time when it began if that is known.
 * @param {"late"|"waiting"} state
 * @param {Stream} stream
 * @param {Picture} picture
 */
function sinceWhen(state, { health }, picture) {
  return health.since ? say(`${state}Since`, picture, { time: clock(health.since, picture.now, picture) }) : say(state, picture);
}
