/** Streams and what is known about them all, for tests of what a tile says. */

export const NOW = Date.UTC(2025, 10, 22, 12) / 1000;
/** The picture while all is well. */
export const LIVE = { status: "live", journal: { state: "ok" }, now: NOW };

/** A fresh stream of one value, with these members instead. */
export function stream(changes = {}) {
  const health = { state: "fresh", level: "ok", since: NOW - 500, proof: NOW - 2 };
  return { name: "a", description: {}, health, seq: 1, at: "1-1", time: NOW - 2, value: 42, missed: 0, ...changes };
}

/** A stream whose health has these members instead. */
export function ill(changes) {
  return stream({ health: { ...stream().health, ...changes } });
}
