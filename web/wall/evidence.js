/**
 * The words of a tile about its streams. Pure: the time is an argument.
 *
 * The level (colour) speaks about the world, the state (texture) about our knowledge of it. A value that is not current has no level.
 */

import { dueTime, stateOf } from "../client/health.js";
import { label } from "../text/face.js";
import { clock, cut, duration, limit } from "../text/format.js";

/** A value that is younger than this many seconds is simply "now". */
const NOW = 5;
/** Seconds by which a value may be ahead of the server's clock before its tile says so. */
const AHEAD = 5;

const SIGNS = { warn: "▲", critical: "■" };

/**
 * @typedef {import("../client/link.js").Stream} Stream
 * @typedef {import("../client/health.js").Picture} Picture
 * @typedef {import("../client/health.js").State} State
 *
 * @typedef {object} Assessment
 * @property {State} state
 * @property {"ok"|"warn"|"critical"} level
 * @property {string[]} evidence  short texts, the most important first: those that do not fit are left out
 */

/** States and levels, the worst first. @type {State[]} */
const WORST = ["lost", "failed", "catching-up", "late", "unconfirmed", "waiting", "current"];
/** @type {Assessment["level"][]} */
const LEVELS = ["critical", "warn", "ok"];

/**
 * Assess one stream.
 * @param {Stream} stream
 * @param {Picture} picture
 * @param {string} [change]  how the value has changed lately, such as "+12 in 1 h"
 * @returns {Assessment}
 */
export function assess(stream, picture, change = "") {
  const state = stateOf(stream, picture);
  const { level: judged = "ok" } = stream.health;
  const level = state === "current" && Object.hasOwn(SIGNS, judged) ? judged : "ok";
  return { state, level, evidence: EVIDENCE[state](stream, picture, level, change).filter(Boolean) };
}

/**
 * Assess several streams on one tile: their worst state, their worst level, and the stream that has it.
 * @param {Stream[]} streams  at least one
 * @param {Picture} picture
 * @returns {Assessment}
 */
export function assessAll(streams, picture) {
  const each = streams.map((stream) => ({ stream, ...assess(stream, picture) }));
  const state = WORST.find((state) => each.some((one) => one.state === state)) ?? "lost";
  const level = LEVELS.find((level) => each.some((one) => one.level === level)) ?? "ok";
  const worst = each.find((one) => (state === "current" && level !== "ok" ? one.level === level : one.state === state)) ?? each[0];
  const [first, ...rest] = worst.evidence;
  const evidence = state === "current" && level === "ok" ? worst.evidence : [`${first}: ${label(worst.stream)}`, ...rest];
  return { state, level, evidence };
}

/**
 * Assess streams that the tile's kind cannot show. The fault is the page's own, so it says nothing about the world: no level.
 * @param {unknown} error
 * @param {Picture} picture
 * @param {Stream[]} streams
 * @returns {Assessment}
 */
export function assessBroken(error, picture, [stream]) {
  const state = stateOf(stream, picture) === "lost" ? "lost" : "failed";
  return { state, level: "ok", evidence: [`✕ cannot be shown: ${cut(messageOf(error), 200)}`, former(stream, picture)] };
}

function messageOf(error) {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return "unknown error"; // an object without a usable toString was thrown
  }
}

/** @type {Record<State, (stream: Stream, picture: Picture, level: Assessment["level"], change: string) => string[]>} */
const EVIDENCE = {
  current: (stream, picture, level, change) => [sign(stream, level), change, age(stream, picture)],
  waiting: (stream, { now }) => [stream.health.since ? `waiting since ${clock(stream.health.since, now)}` : "waiting"],
  late: (stream, picture) => [lateness(stream, picture), former(stream, picture)],
  failed: (stream, picture) => [`✕ ${cut(String(stream.health.error || "failed"), 200)}`, former(stream, picture)],
  "catching-up": (stream, picture) => ["catching up", former(stream, picture)],
  unconfirmed: (stream, picture) => ["unconfirmed", former(stream, picture)],
  lost: (stream, picture) => [former(stream, picture), formerLevel(stream)],
};

/** The last known level, in words: colour is for what is known now. */
function formerLevel(stream) {
  const { level = "ok" } = stream.health;
  return Object.hasOwn(SIGNS, level) ? `was ${sign(stream, level)}` : "";
}

function sign({ description }, level) {
  return level === "ok" ? "" : `${SIGNS[level]} ${limit(description[level]) || level}`;
}

/** @param {Stream} stream @param {Picture} picture */
function age({ time = NaN }, { now }) {
  if (time > now + AHEAD) return `dated ${clock(time, now)}`;
  if (now - time < NOW) return "now";
  return `unchanged ${duration(now - time)}`;
}

/** @param {Stream} stream @param {Picture} picture */
function former({ seq, time = NaN }, { now }) {
  return seq ? `value of ${clock(time, now)}` : "no value yet";
}

/** @param {Stream} stream @param {Picture} picture */
function lateness(stream, { now }) {
  const { health } = stream;
  if (health.state === "late" && health.error) return cut(String(health.error), 200);
  const due = dueTime(stream);
  if (now >= due) return `late by ${duration(now - due)}`;
  return health.since ? `late since ${clock(health.since, now)}` : "late";
}
