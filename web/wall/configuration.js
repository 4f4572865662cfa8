/** A wall's configuration, and the tiles that it gives the streams. Pure. */

/** Compares parts of names by their numbers: "web-2" is before "web-10". In English, so that all screens have one order. */
const PARTS = new Intl.Collator("en", { numeric: true });

/**
 * @typedef {object} WallConfiguration  as GET /walls/NAME answers
 * @property {string} name
 * @property {string} title
 * @property {"dark"|"light"|"auto"} theme
 * @property {number} rotate  seconds a page
 * @property {TileConfiguration[]} tiles
 * @property {Group[]} [groups]
 * @property {string[]} [clocks]  IANA time zones of further clocks
 * @property {boolean} [date]  whether the header has the date
 * @property {string} [mark]  the address of an SVG file, which is shown in one colour
 * @property {{dark?: string, light?: string}} [accent]  the colour of data, for each theme that the wall can have
 * @property {string} [timezone]  such as "Europe/Berlin"; left out: the browser's
 * @property {string} [language]  such as "de"; left out: the browser's
 * @property {string[]} [order]  names of sources and streams: the tiles of a glob are in this order
 * @property {string} [note]  written at the bottom
 *
 * @typedef {object} TileConfiguration  with the options of its kind, by their configured names; durations are in seconds
 * @property {string} [stream]  a name, or a glob that makes a tile for each stream
 * @property {string[]} [streams]  names and globs; all their streams have one tile
 * @property {string} [title]
 * @property {string} [show]  the name of a kind
 * @property {"s"|"m"|"l"|"wide"|"hero"} [size]
 * @property {string} [group]  the title of a group
 *
 * @typedef {object} Group  tiles that stand together
 * @property {string} title
 * @property {"time"} [share]  its tiles have one axis of time
 * @property {number} [window]  the length of that axis, in seconds
 * @property {string} [events]  the stream whose updates are marked in all its tiles
 *
 * @typedef {import("../kinds/kind.js").Spec} Spec
 */

/**
 * The names and globs of all streams that a wall shows.
 * @param {WallConfiguration} configuration
 * @returns {string[]|undefined}  undefined: all streams
 */
export function selectionOf({ tiles, groups = [] }) {
  const events = groups.flatMap(({ events }) => events ?? []);
  const names = [...tiles.flatMap(({ stream, streams }) => streams ?? stream ?? []), ...events];
  return names.includes("*") ? undefined : names;
}

/** The bounds of a selection; the server refuses a larger one (streamd/core/selection.py). */
const MOST = { patterns: 32, stars: 32, characters: 1024 };

/**
 * The names and globs of all streams that several walls show together.
 * @param {WallConfiguration[]} walls
 * @returns {string[]|undefined}  undefined: all streams, or too many names for one selection
 */
export function selectionOfAll(walls) {
  const each = walls.map(selectionOf);
  if (each.includes(undefined)) return undefined;
  const names = [...new Set(each.flatMap((one) => one ?? []))];
  const globs = names.filter(isGlob).join("");
  const fits = names.length <= MOST.patterns && globs.length <= MOST.characters && globs.split("*").length <= MOST.stars + 1;
  return fits ? names : undefined;
}

/**
 * Whether a wall has a tile with a stream.
 * @param {WallConfiguration} configuration
 * @param {string} name
 * @returns {boolean}
 */
export function showsStream({ tiles }, name) {
  const patterns = tiles.flatMap(({ stream, streams }) => streams ?? stream ?? []);
  return patterns.some((pattern) => globPattern(pattern).test(name));
}

/**
 * The tiles of a wall, in the order of its configuration. A named stream has its tile even before the stream exists; a glob does
 * not repeat it.
 * @param {WallConfiguration["tiles"]} tiles
 * @param {string[]} names  of the streams, in the order for the tiles of a glob
 * @returns {Map<string, Spec>}  by a key that stays the same while streams come and go
 */
export function expandTiles(tiles, names) {
  const specs = new Map();
  const named = new Set(tiles.map(({ stream }) => stream));
  tiles.forEach(({ stream, streams = [], ...options }, i) => {
    // No stream's name has a colon, so these keys cannot clash with those of a glob's tiles.
    if (!stream || !isGlob(stream)) specs.set(`${i}:`, { names: stream ? [stream] : matches(streams, names), ...options });
    else {
      for (const name of matches([stream], names)) {
        if (name !== stream && !named.has(name) && !specs.has(name)) specs.set(name, { names: [name], ...options });
      }
    }
  });
  return specs;
}

/**
 * The names that these names and globs match, without repetitions. A glob without a match stands for itself: its tile waits.
 * @param {string[]} patterns
 * @param {string[]} names  of the streams
 */
function matches(patterns, names) {
  const found = patterns.flatMap((pattern) => {
    const glob = globPattern(pattern);
    const those = isGlob(pattern) ? names.filter((name) => glob.test(name)) : [];
    return those.length ? those : [pattern];
  });
  const known = found.filter((name) => !isGlob(name));
  return [...new Set(known.length ? known : found)];
}

/** Whether a pattern is a glob. @param {string} pattern */
function isGlob(pattern) {
  return /[*?]/.test(pattern);
}

/** A wall with at least this many tiles has a hero even if none is configured: fewer tiles are large anyway. */
const WITH_HERO = 4;

/**
 * The hero of a wall without a configured one: its first number.
 * @param {WallConfiguration["tiles"]} tiles  of the configuration
 * @param {Map<string, Spec>} specs  as `expandTiles` returns them
 * @param {Map<string, {value?: unknown}>} streams
 * @returns {string|undefined}  its key
 */
export function heroOf([first, ...others], specs, streams) {
  if (others.length || first.stream !== "*" || specs.size < WITH_HERO) return undefined;
  return [...specs.keys()].find((key) => typeof streams.get(key)?.value === "number");
}

/** A glob of the server: `*` is any characters, `?` is one. Of the other characters in names only the dot needs escaping. */
function globPattern(glob) {
  return new RegExp(`^${glob.replace(/[.]/g, "\\.").replace(/\*/g, ".*").replace(/\?/g, ".")}$`);
}

/**
 * Sort names as a tree, whose branches are the parts between dots. Branches that `order` names come first, in that order. So the
 * tile of a failed source, "shop", stands where "shop.orders" does. The server's own order of streams is not used: it is the
 * order of their first updates, which a restart changes.
 * @param {string[]} names
 * @param {string[]} [order]  the names in the order of the server's configuration
 * @returns {string[]}
 */
export function sortNames(names, order = []) {
  /** @type {Map<string, number>} */
  const ranks = new Map();
  order.flatMap(branchesOf).forEach((branch, i) => ranks.has(branch) || ranks.set(branch, i));
  const rank = (branch) => ranks.get(branch) ?? Number.MAX_VALUE;
  /** @type {(one: string[], other: string[]) => number} */
  const compare = ([a, ...others], [b, ...rest]) => {
    if (a === undefined || b === undefined) return Number(b === undefined) - Number(a === undefined);
    return a === b ? compare(others, rest) : rank(a) - rank(b) || PARTS.compare(a, b) || (a < b ? -1 : 1);
  };
  const sorted = names.map((name) => ({ name, branches: branchesOf(name) })).sort((a, b) => compare(a.branches, b.branches));
  return sorted.map(({ name }) => name);
}

/** A name's branches, from the root on: "a", "a.b", "a.b.c". @param {string} name */
function branchesOf(name) {
  return name.split(".").map((_, i, parts) => parts.slice(0, i + 1).join("."));
}
