/** Ranks: how urgently a thing needs attention, with a sign for each rank. Pure. */

/** @typedef {"critical"|"failed"|"warn"|"late"|"waiting"|"ok"} Rank */

/** The worst first. @type {Rank[]} */
export const RANKS = ["critical", "failed", "warn", "late", "waiting", "ok"];

/** @type {Record<Rank, string>} */
export const SIGNS = { critical: "■", failed: "✕", warn: "▲", late: "", waiting: "", ok: "" };

/**
 * The rank of a stream or a tile. Only a current value has a level. If the link is lost or catches up, the wall says so for all.
 * @param {string} state  as from `stateOf`
 * @param {string} [level]
 * @returns {Rank}
 */
export function rankOf(state, level) {
  if (state === "failed" || state === "late" || state === "waiting") return state;
  return state === "current" && (level === "critical" || level === "warn") ? level : "ok";
}
