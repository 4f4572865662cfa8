/**
 * The last picture, kept by the browser: what a page shows, marked as such, until it has a newer one, however long there is no
 * server.
 */

/** Characters of one value, and of all, that are kept. */
const VALUE = 4000;
const WHOLE = 1_000_000;

/** @typedef {{plan: import("./plan.js").Plan, time: number, streams: Map<string, import("./streamd.js").Stream>}} Stored */

/**
 * @param {import("./streamd.js").Link} link
 * @param {import("./plan.js").Plan} plan
 * @param {string|null} asked  the wall as it was asked for; null: the first
 */
export function keep(link, plan, asked) {
  if (link.status !== "live") return;
  const streams = [...link.streams.values()].map(({ name, description, seq, time, value }) => {
    const short = JSON.stringify(value ?? null).length <= VALUE;
    return { name, description, seq, time, value: short ? value : null };
  });
  try {
    const text = JSON.stringify({ plan, time: link.now(), streams });
    if (text.length <= WHOLE) localStorage.setItem(key(asked), text);
  } catch {
    // A full storage, or none: then a page that starts without a server shows nothing.
  }
}

/**
 * @param {string|null} asked
 * @returns {Stored|null}
 */
export function recall(asked) {
  try {
    const { plan, time, streams } = JSON.parse(localStorage.getItem(key(asked)) ?? "null");
    return { plan, time, streams: new Map(streams.map((stream) => [stream.name, { ...stream, health: {}, missed: 0 }])) };
  } catch {
    return null;
  }
}

function key(asked) {
  return `streamd.picture.${asked ?? ""}`;
}
