/** A wall's configuration, and the tiles that it makes of the streams. Pure. */

/** Names as people count: "web-2" is before "web-10", on every screen alike. */
const NAMES = new Intl.Collator("en", { numeric: true });

/**
 * @typedef {object} WallConfiguration  as GET /walls/NAME answers
 * @property {string} name
 * @property {string} title
 * @property {"dark"|"light"|"auto"} theme
 * @property {number} rotate  seconds a page
 * @property {({stream: string, title?: string, show?: string}|{streams: string[], title?: string, show?: string})[]} tiles
 *   `stream` is a name or a glob and makes a tile for each stream; `streams` are names and make one tile
 * @property {string} [note]  written at the bottom
 *
 * @typedef {import("../kinds/kind.js").Spec} Spec
 */

/**
 * The names and globs of all streams that a wall shows.
 * @param {WallConfiguration} configuration
 * @returns {string[]|undefined}  undefined: all streams
 */
export function selectionOf({ tiles }) {
  const names = tiles.flatMap((tile) => ("streams" in tile ? tile.streams : [tile.stream]));
  return names.includes("*") ? undefined : names;
}

/**
 * The tiles of a wall, in the order of its configuration, and those of a glob in the order of their names. A named stream has its tile even if there is no such stream; a glob does not repeat it.
 * @param {WallConfiguration["tiles"]} tiles
 * @param {string[]} names  of the streams
 * @returns {Map<string, Spec>}  by a key that stays the same while streams come and go
 */
export function expandTiles(tiles, names) {
  const specs = new Map();
  // The server's order is that of first updates, which a restart changes.
  const sorted = [...names].sort(NAMES.compare);
  const named = new Set(tiles.map((tile) => ("stream" in tile ? tile.stream : "")));
  /** @type {any[]} */ (tiles).forEach(({ stream, streams, title, show }, i) => {
    // No stream's name has a colon, so these keys cannot clash with those of a glob's tiles.
    if (streams || !/[*?]/.test(stream)) specs.set(`${i}:`, { names: streams ?? [stream], title, show });
    else {
      const glob = globPattern(stream);
      for (const name of groupByPrefix(sorted)) {
        if (glob.test(name) && !named.has(name) && !specs.has(name)) specs.set(name, { names: [name], title, show });
      }
    }
  });
  return specs;
}

/** A glob of the server: `*` is any characters, `?` is one. Of the other characters in names only the dot needs escaping. */
function globPattern(glob) {
  return new RegExp(`^${glob.replace(/[.]/g, "\\.").replace(/\*/g, ".*").replace(/\?/g, ".")}$`);
}

/**
 * Names in their order, but those with the same part before the first dot together, where the first of them is.
 * @param {string[]} names
 * @returns {string[]}
 */
export function groupByPrefix(names) {
  const groups = new Map();
  for (const name of names) {
    const prefix = name.split(".", 1)[0];
    if (!groups.has(prefix)) groups.set(prefix, []);
    groups.get(prefix).push(name);
  }
  return [...groups.values()].flat();
}
