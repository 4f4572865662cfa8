/**
 * Whether a value is current, and until when. Pure: the time is an argument.
 *
 * The law: a value is current only if the link is live, the newest value has arrived, its source works, and it is not late.
 */

/** A proof that the server knows may arrive here this many ticks later: the server sends proofs once a tick. */
const GRACE_TICKS = 1;

/**
 * @typedef {"current"|"waiting"|"late"|"failed"|"catching-up"|"unconfirmed"|"lost"} State
 *
 * @typedef {object} Picture  facts that hold for all streams alike
 * @property {import("./link.js").Status} status  of the link
 * @property {{state: string}} journal  of the server
 * @property {number} now  by the server's clock, in seconds
 * @property {number} [tick]  seconds between two ticks
 * @property {number|null} [lost]  since when the link is not live, by the server's clock
 * @property {string} [language]  of the wall; undefined: the browser's
 * @property {string} [timezone]  of the wall; undefined: the browser's
 */

/**
 * Whether the server is connected: it has said hello and has not gone silent.
 * @param {import("./link.js").Status} status
 * @returns {boolean}
 */
export function connected(status) {
  return status === "live" || status === "catching-up";
}

/**
 * Whether a stream's value is current now; if not, why.
 * @param {import("./link.js").Stream} stream
 * @param {Picture} picture
 * @returns {State}
 */
export function stateOf(stream, { status, journal, now, tick = 0 }) {
  if (!connected(status)) return "lost";
  if (stream.health.state === "failed") return "failed";
  if (status === "catching-up") return "catching-up";
  // A stream that never had a value has nothing that could be late. An error says that more than silence is the matter.
  const waits = !stream.seq && !stream.health.error;
  if (!waits && (stream.health.state === "late" || now > dueTime(stream) + GRACE_TICKS * tick)) return "late";
  if (journal.state === "away") return "unconfirmed";
  return stream.seq ? "current" : "waiting";
}

/**
 * When the next proof is due, in seconds; NaN if none is expected. No time is later than NaN, so such a stream is never late.
 * @param {import("./link.js").Stream} stream
 * @returns {number}
 */
export function dueTime({ health, description }) {
  return (health.proof ?? NaN) + description.expect;
}

/**
 * The span of time for which the latest proof counts.
 * @param {import("./link.js").Stream} stream
 * @param {number} tick  seconds between two ticks
 * @returns {{from: number, span: number}|null}  its beginning and length in seconds; null: as long as the link lives
 */
export function validity({ health, description }, tick) {
  if (!(health.proof && description.expect)) return null;
  return { from: health.proof, span: description.expect + GRACE_TICKS * tick };
}

/**
 * Up to when a stream's newest value is known to be right, in seconds.
 * @param {import("./link.js").Stream} stream
 * @param {Picture} picture
 * @returns {number}
 */
export function knownUntil({ health, time = 0 }, { now, lost, journal }) {
  const known = health.state === "fresh" && journal.state !== "away" ? now : Math.max(health.proof ?? 0, time);
  return Math.min(known, lost ?? now);
}
