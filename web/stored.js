/**
 * The last picture, kept by the browser: what a page shows, marked as such, that starts while there is no server.
 */

/** Characters of one value, and of all, that are kept. */
const VALUE = 4000;
const WHOLE = 1_000_000;

/**
 * @param {import("./streamd.js").Link} link
 * @param {string} wall
 */
export function keep(link, wall) {
  if (link.status !== "live") return;
  const streams = [...link.streams.values()].map(({ name, description, seq, time, value }) => {
    const short = JSON.stringify(value ?? null).length <= VALUE;
    return { name, description, seq: short ? seq : 0, time, value: short ? value : null };
  });
  try {
    const text = JSON.stringify({ time: link.now(), streams });
    if (text.length <= WHOLE) localStorage.setItem(key(wall), text);
  } catch {
    // A full storage, or none: then a page that starts without a server shows nothing.
  }
}

/**
 * @param {string} wall
 * @returns {{time: number, streams: Map<string, import("./streamd.js").Stream>}|null}
 */
export function recall(wall) {
  try {
    const { time, streams } = JSON.parse(localStorage.getItem(key(wall)) ?? "null");
    return { time, streams: new Map(streams.map((stream) => [stream.name, { ...stream, health: {}, missed: 0 }])) };
  } catch {
    return null;
  }
}

function key(wall) {
  return `streamd.picture.${wall}`;
}
