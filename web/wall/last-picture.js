/**
 * The last picture of a wall, kept in the browser's storage. A page shows it, marked as old, until the server answers.
 */

/** The most characters of one value, and of the whole picture. Browsers give 5 MiB to all walls of an origin together. */
const LONGEST_VALUE = 4000;
const LONGEST = 1_000_000;

/**
 * @typedef {import("./configuration.js").WallConfiguration} WallConfiguration
 * @typedef {{configuration: WallConfiguration, time: number, streams: Map<string, import("../client/link.js").Stream>}} LastPicture
 */

/**
 * Store the link's streams, if they are current or were until this moment.
 * @param {import("../client/link.js").Link} link
 * @param {WallConfiguration} configuration
 * @param {string|null} wall  the name in the page's address; null: the first wall
 * @param {string} [status]  of the link until this moment
 */
export function savePicture(link, configuration, wall, status = link.status) {
  if (status !== "live") return;
  const streams = [...link.streams.values()].map(({ name, description, seq, time, value, exact }) => {
    // JSON has no BigInt, and an identifier with wrong digits is worse than none.
    const isKept = exact === undefined && JSON.stringify(value ?? null).length <= LONGEST_VALUE;
    return { name, description, seq, time, value: isKept ? value : null };
  });
  try {
    // Pages of version 0.1.0 call the configuration "plan". One name serves both, so that a renewed page knows the last picture.
    const text = JSON.stringify({ plan: configuration, time: link.lostSince ?? link.now(), streams });
    if (text.length <= LONGEST) localStorage.setItem(key(wall), text);
  } catch {
    // The storage is full or blocked. Then a page that starts without a server shows nothing.
  }
}

/**
 * The stored picture; null if nothing is stored or it cannot be read.
 * @param {string|null} wall  as for `savePicture`
 * @returns {LastPicture|null}
 */
export function loadPicture(wall) {
  try {
    const { plan, time, streams } = JSON.parse(localStorage.getItem(key(wall)) ?? "null");
    return { configuration: plan, time, streams: new Map(streams.map((stream) => [stream.name, { ...stream, health: {}, missed: 0 }])) };
  } catch {
    return null;
  }
}

/** Remove all stored pictures: this browser may not show them any more. */
export function forgetPictures() {
  try {
    for (const name of Object.keys(localStorage)) if (name.startsWith(key(null))) localStorage.removeItem(name);
  } catch {
    // The storage is blocked, so nothing is stored.
  }
}

/** The key for a wall, with the path of the server: servers below different paths of one host share the storage. */
function key(wall) {
  const folder = globalThis.document?.location.pathname.replace(/[^/]*$/, "") ?? "/";
  return `streamd.picture.${folder === "/" ? "" : folder}${wall ?? ""}`;
}
