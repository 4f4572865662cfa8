/** A wall's configuration, and the tiles that it makes of the streams. Pure. */

/** Parts of names as people count: "web-2" is before "web-10", on every screen alike. */
const PARTS = new Intl.Collator("en", { numeric: true });

/**
 * @typedef {object} WallConfiguration  as GET /walls/NAME answers
 * @property {string} name
 * @property {string} title
 * @property {"dark"|"light"|"auto"} theme
 * @property {number} rotate  seconds a page
 * @property {({stream: string, title?: string, show?: string}|{streams: string[], title?: string, show?: string})[]} tiles
 *   `stream` is a name or a glob and makes a tile for each stream; `streams` are names and make one tile
 * @property {string[]} [order]  names of sources and streams: the tiles of a glob are in this order
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
 * The tiles of a wall, in the order of its configuration. A named stream has its tile even if there is no such stream; a glob does
 * not repeat it.
 * @param {WallConfiguration["tiles"]} tiles
 * @param {string[]} names  of the streams, in the order for the tiles of a glob
 * @returns {Map<string, Spec>}  by a key that stays the same while streams come and go
 */
export function expandTiles(tiles, names) {
  const specs = new Map();
  const named = new Set(tiles.map((tile) => ("stream" in tile ? tile.stream : "")));
  /** @type {any[]} */ (tiles).forEach(({ stream, streams, title, show }, i) => {
    // No stream's name has a colon, so these keys cannot clash with those of a glob's tiles.
    if (streams || !/[*?]/.test(stream)) specs.set(`${i}:`, { names: streams ?? [stream], title, show });
    else {
      const glob = globPattern(stream);
      for (const name of names) {
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
 * Sort names as a tree, whose branches are the parts between dots. Where two names branch, the branch that the order names first
 * comes first, and one that it does not name last. So the tile of a source that has failed, "shop", stands where "shop.orders" does.
 * The order in which the server has its streams is that of their first updates, which a restart changes.
 * @param {string[]} names
 * @param {string[]} [order]  names, as the server's configuration has them
 * @returns {string[]}
 */
export function sortNames(names, order = []) {
  /** @type {Map<string, number>} */
  const ranks = new Map();
  order.flatMap(branchesOf).forEach((branch, i) => ranks.has(branch) || ranks.set(branch, i));
  const rank = (branch) => ranks.get(branch) ?? Number.MAX_VALUE;
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
