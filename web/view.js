/**
 * What a tile says of a stream, and what it dares to say. Pure: everything the page knows goes in, words come out.
 *
 * The law: a value is shown as current only if the link is live, the newest has arrived, its source works and it is not late.
 * Colour (`level`) speaks about the world and texture (`state`) about our knowledge of it: what is not current has no level.
 */

import { clock, cut, duration, limit, number, text } from "./format.js";

/** Seconds within which a value is simply "now". */
const NOW = 5;
/** Ticks by which a proof that is here may be older than the one that the server knows: it tells them once a tick. */
const GRACE = 1;
/** Seconds by which a value may be ahead of the server's clock before its tile says so. */
const AHEAD = 5;
/** Text of up to so many characters, and every number, is shown in the numeral's size. */
const SHORT = 10;

/** A change is told over so many seconds at most, and at least. */
const HOUR = 3600;
const MINUTES = 300;

const SIGNS = { warn: "▲", critical: "■" };

/**
 * @typedef {"current"|"waiting"|"late"|"failed"|"catching-up"|"unconfirmed"|"lost"} State
 *
 * @typedef {object} Picture  what is known about all streams alike
 * @property {import("./streamd.js").Status} status
 * @property {{state: string}} journal
 * @property {number} now  by the server's clock
 * @property {number} [tick]  seconds between two ticks
 * @property {number|null} [lost]  since when the link is not live
 *
 * @typedef {object} View
 * @property {State} state
 * @property {"ok"|"warn"|"critical"} level
 * @property {string[]} evidence  short texts, the most important first: what does not fit is left out
 *
 * @typedef {object} Face
 * @property {string} value
 * @property {"numeral"|"text"} size
 * @property {string} unit
 * @property {string} exact  the whole value, for who points at it; empty if nothing was left out
 *
 * @typedef {"value"|"status"|"chart"|"list"} Kind
 */

/** From what needs somebody most to what needs nobody. @type {State[]} */
const WORST = ["lost", "failed", "catching-up", "late", "unconfirmed", "waiting", "current"];
const LEVELS = ["critical", "warn", "ok"];

/**
 * How the stream is to be shown, now.
 * @param {import("./streamd.js").Stream} stream
 * @param {Picture} picture
 * @param {string} [change]  how the value has changed lately: "+12 in 1 h"
 * @returns {View}
 */
export function view(stream, picture, change = "") {
  const state = knowledge(stream, picture);
  const { level: judged = "ok" } = stream.health;
  const level = state === "current" && Object.hasOwn(SIGNS, judged) ? judged : "ok";
  return { state, level, evidence: EVIDENCE[state](stream, picture, level, change).filter(Boolean) };
}

/**
 * Several streams on one tile: it can be believed as far as the one that can be believed least.
 * @param {import("./streamd.js").Stream[]} streams  at least one
 * @param {Picture} picture
 * @returns {View}
 */
export function combined(streams, picture) {
  const views = streams.map((stream) => ({ stream, ...view(stream, picture) }));
  const first = (order, key) => order.find((one) => views.some((each) => each[key] === one));
  const [state, level] = [first(WORST, "state"), first(LEVELS, "level")];
  const told = views.find((each) => (state === "current" && level !== "ok" ? each.level === level : each.state === state));
  const [evidence, ...rest] = told.evidence;
  const named = state === "current" && level === "ok" ? told.evidence : [`${evidence}: ${label(told.stream)}`, ...rest];
  return { state, level, evidence: named };
}

/**
 * Whether the value can be believed: current only if link, journal, source and time all agree.
 * @param {import("./streamd.js").Stream} stream
 * @param {Picture} picture
 * @returns {State}
 */
export function knowledge({ health, seq, description }, { status, journal, now, tick = 0 }) {
  if (status !== "live" && status !== "catching-up") return "lost";
  if (health.state === "failed") return "failed";
  if (status === "catching-up") return "catching-up";
  if (health.state === "late" || now > proved(health) + description.expect + GRACE * tick) return "late";
  if (journal.state === "away") return "unconfirmed";
  return seq ? "current" : "waiting";
}

/**
 * For how long what is known here is good.
 * @param {import("./streamd.js").Stream} stream
 * @param {number} tick  seconds
 * @returns {{from: number, span: number}|null}  since when and how many seconds; null: for as long as the link lives
 */
export function validity({ health, description }, tick) {
  if (!(health.proof && description.expect)) return null;
  return { from: health.proof, span: description.expect + GRACE * tick };
}

/** @type {Record<State, (stream: import("./streamd.js").Stream, picture: Picture, level: View["level"], change: string) => string[]>} */
const EVIDENCE = {
  current: (stream, picture, level, change) => [sign(stream, level), change, age(stream, picture)],
  waiting: (stream, { now }) => [stream.health.since ? `waiting since ${clock(stream.health.since, now)}` : "waiting"],
  late: (stream, picture) => [lateness(stream, picture), former(stream, picture)],
  failed: (stream, picture) => [`✕ ${cut(String(stream.health.error || "failed"), 200)}`, former(stream, picture)],
  "catching-up": (stream, picture) => ["catching up", former(stream, picture)],
  unconfirmed: (stream, picture) => ["unconfirmed", former(stream, picture)],
  lost: (stream, picture) => [former(stream, picture), was(stream)],
};

/** How the value was judged while it could be: in words, without colour. */
function was(stream) {
  const { level = "ok" } = stream.health;
  return Object.hasOwn(SIGNS, level) ? `was ${sign(stream, level)}` : "";
}

function sign({ description }, level) {
  return level === "ok" ? "" : `${SIGNS[level]} ${limit(description[level]) || level}`;
}

/** @param {import("./streamd.js").Stream} stream @param {Picture} picture */
function age({ time = NaN }, { now }) {
  if (time > now + AHEAD) return `dated ${clock(time, now)}`;
  if (now - time < NOW) return "now";
  return `unchanged ${duration(now - time)}`;
}

/** @param {import("./streamd.js").Stream} stream @param {Picture} picture */
function former({ seq, time = NaN }, { now }) {
  return seq ? `value of ${clock(time, now)}` : "no value yet";
}

/** When it was last proved; NaN, which nothing is later than, if it never was. */
function proved({ proof }) {
  return proof ?? NaN;
}

function lateness({ health, description }, { now }) {
  const due = proved(health) + description.expect; // the last proof, and how long it was good for
  if (now >= due) return `late by ${duration(now - due)}`;
  return health.since ? `late since ${clock(health.since, now)}` : "late";
}

/**
 * Up to when its newest value is known to be right.
 * @param {import("./streamd.js").Stream} stream
 * @param {Picture} picture
 * @returns {number}
 */
export function until({ health, time = 0 }, { now, lost, journal }) {
  const known = health.state === "fresh" && journal.state !== "away" ? now : Math.max(health.proof ?? 0, time);
  return Math.min(known, lost ?? now);
}

/**
 * How a stream is called.
 * @param {import("./streamd.js").Stream} stream
 * @returns {string}
 */
export function label({ name, description }) {
  return cut(String(description.title || name), 128);
}

/**
 * How it is shown: as it says, or as its value suggests.
 * @param {import("./streamd.js").Stream} stream
 * @param {unknown} [show]  what the wall says
 * @returns {Kind}
 */
export function kind({ description, value }, show) {
  const said = /** @type {Kind} */ (show ?? description.show);
  if (["value", "status", "chart", "list"].includes(said)) return said;
  if (typeof value === "object" && value !== null) return "list";
  return typeof value === "boolean" || (typeof value === "string" && glyphs(value) <= SHORT) ? "status" : "value";
}

/**
 * What the tile shows whatever its state: changes only with the update or the description.
 * @param {import("./streamd.js").Stream} stream
 * @returns {Face}
 */
export function face({ description, seq, value }) {
  const shown = !seq ? "—" : typeof value === "boolean" ? (value ? "yes" : "no") : text(value);
  const whole = typeof value === "object" ? shown : `${value}`; // an object's own toString may be anything
  return {
    value: shown,
    size: typeof value === "number" || glyphs(shown) <= SHORT ? "numeral" : "text",
    unit: seq && typeof value === "number" ? cut(String(description.unit ?? ""), 24) : "",
    exact: seq && shown !== whole ? cut(whole, 1000) : "",
  };
}

/**
 * How a number has changed: "+12 in 1 h"; empty where there is nothing to say.
 * @param {import("./history.js").History} history
 * @param {number} now
 * @returns {string}
 */
export function change(history, now) {
  const { times, values } = history.points(now);
  const since = Math.max(history.begins(now), now - HOUR);
  let first = times.length - 1;
  while (first > 0 && times[first] > since) first--;
  const difference = values[values.length - 1] - values[first];
  if (!difference || now - since < MINUTES) return ""; // NaN too
  return `${difference > 0 ? "+" : "−"}${number(Math.abs(difference))} in ${duration(now - since)}`;
}

/**
 * How many characters, whole ones.
 * @param {string} text
 * @returns {number}
 */
export function glyphs(text) {
  return [...text].length;
}
