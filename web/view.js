/**
 * What a tile says of a stream, and what it dares to say. Pure: everything the page knows goes in, words come out.
 *
 * The law: a value is shown as current only if the link is live, the newest has arrived, its source works and it is not late.
 * Colour (`level`) speaks about the world and texture (`state`) about our knowledge of it: what is not current has no level.
 */

import { clock, cut, duration, limit, text } from "./format.js";

/** Seconds within which a value is simply "now". */
const NOW = 5;
/** Seconds by which a value may be ahead of the server's clock before its tile says so. */
const AHEAD = 5;
/** Text of up to so many characters, and every number, is shown in the numeral's size. */
const SHORT = 10;

const SIGNS = { warn: "▲", critical: "■" };

/**
 * @typedef {"current"|"waiting"|"late"|"failed"|"catching-up"|"unconfirmed"|"lost"} State
 *
 * @typedef {object} Picture  what is known about all streams alike
 * @property {import("./streamd.js").Status} status
 * @property {{state: string}} journal
 * @property {number} now  by the server's clock
 *
 * @property {boolean} [brief]  whether there is little room for words
 *
 * @typedef {object} View
 * @property {State} state
 * @property {"ok"|"warn"|"critical"} level
 * @property {string[]} evidence  at most two short texts, the most important first: what does not fit is left out
 *
 * @typedef {object} Face
 * @property {string} label
 * @property {string} value
 * @property {"numeral"|"text"} kind
 * @property {string} unit
 * @property {string} exact  the whole value, for who points at it; empty if nothing was left out
 */

/**
 * How the stream is to be shown, now.
 * @param {import("./streamd.js").Stream} stream
 * @param {Picture} picture
 * @returns {View}
 */
export function view(stream, picture) {
  const state = knowledge(stream, picture);
  const { level: judged = "ok" } = stream.health;
  const level = state === "current" && Object.hasOwn(SIGNS, judged) ? judged : "ok";
  return { state, level, evidence: EVIDENCE[state](stream, picture, level).filter(Boolean) };
}

/** @returns {State} */
function knowledge({ health, seq }, { status, journal }) {
  if (status !== "live" && status !== "catching-up") return "lost";
  if (health.state === "failed") return "failed";
  if (status === "catching-up") return "catching-up";
  if (health.state === "late") return "late";
  if (journal.state === "away") return "unconfirmed";
  return seq ? "current" : "waiting";
}

/** @type {Record<State, (stream: import("./streamd.js").Stream, picture: Picture, level: View["level"]) => string[]>} */
const EVIDENCE = {
  current: (stream, picture, level) => [sign(stream, level), age(stream, picture)],
  waiting: (stream, { now, brief }) => [stream.health.since && !brief ? `waiting since ${clock(stream.health.since, now)}` : "waiting"],
  late: (stream, picture) => [lateness(stream, picture), former(stream, picture)],
  failed: (stream, picture) => [`✕ ${cut(String(stream.health.error || "failed"), 200)}`, former(stream, picture)],
  "catching-up": (stream, picture) => ["catching up", former(stream, picture)],
  unconfirmed: (stream, picture) => ["unconfirmed", former(stream, picture)],
  lost: (stream, picture) => [former(stream, picture)],
};

function sign({ description }, level) {
  return level === "ok" ? "" : `${SIGNS[level]} ${limit(description[level]) || level}`;
}

/** @param {import("./streamd.js").Stream} stream @param {Picture} picture */
function age({ time = NaN }, { now, brief }) {
  if (time > now + AHEAD) return `dated ${clock(time, now)}`;
  if (now - time < NOW) return "now";
  return brief ? `${duration(now - time)} ago` : `unchanged ${duration(now - time)}`;
}

/** @param {import("./streamd.js").Stream} stream @param {Picture} picture */
function former({ seq, time = NaN }, { now }) {
  return seq ? `value of ${clock(time, now)}` : "no value yet";
}

function lateness({ health, description }, { now }) {
  const due = health.proof + description.expect; // the last proof, and how long it was good for
  if (now >= due) return `late by ${duration(now - due)}`;
  return health.since ? `late since ${clock(health.since, now)}` : "late";
}

/**
 * What the tile shows whatever its state: changes only with the update or the description.
 * @param {import("./streamd.js").Stream} stream
 * @returns {Face}
 */
export function face({ name, description, seq, value }) {
  const shown = seq ? text(value) : "—";
  const whole = typeof value === "string" ? value : `${value}`;
  return {
    label: cut(String(description.title || name), 128),
    value: shown,
    kind: typeof value === "number" || glyphs(shown) <= SHORT ? "numeral" : "text",
    unit: seq && typeof value === "number" ? cut(String(description.unit ?? ""), 24) : "",
    exact: seq && typeof value !== "object" && shown !== whole ? cut(whole, 1000) : "",
  };
}

/**
 * How many characters, whole ones.
 * @param {string} text
 * @returns {number}
 */
export function glyphs(text) {
  return [...text].length;
}
