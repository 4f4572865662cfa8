/**
 * What a wall shows: its plan, and the tiles that it means of the streams that there are. Pure.
 */

/**
 * @typedef {object} Plan  of a wall, as GET /walls/NAME gives it
 * @property {string} name
 * @property {string} title
 * @property {"dark"|"light"|"auto"} theme
 * @property {number} rotate  seconds a page
 * @property {({stream: string, title?: string, show?: string}|{streams: string[], title?: string, show?: string})[]} tiles
 * @property {string} [note]  said at the bottom
 */

/**
 * The tiles of a plan: what each shows, by a key that tells them apart. What has a tile of its own is not repeated by a glob.
 * @param {Plan["tiles"]} tiles
 * @param {string[]} names  of the streams that there are
 * @returns {Map<string, import("./tile.js").Spec>}
 */
export function planned(tiles, names) {
  const specs = new Map();
  const own = new Set(tiles.map((tile) => ("stream" in tile ? tile.stream : "")));
  /** @type {any[]} */ (tiles).forEach(({ stream, streams, title, show }, i) => {
    if (streams || !/[*?]/.test(stream)) specs.set(`${i}:`, { names: streams ?? [stream], title, show }); // no name has a colon
    else {
      const glob = pattern(stream);
      for (const name of together(names)) if (glob.test(name) && !own.has(name) && !specs.has(name)) specs.set(name, { names: [name], title, show });
    }
  });
  return specs;
}

/** A glob of the server's: `*` any characters, `?` one; a name has no other that means something. */
function pattern(glob) {
  return new RegExp(`^${glob.replace(/[.]/g, "\\.").replace(/\*/g, ".*").replace(/\?/g, ".")}$`);
}

/** Names in their order, but those with the same first part (up to a dot) together, where the first of them is. */
export function together(names) {
  const groups = new Map();
  for (const name of names) {
    const prefix = name.split(".", 1)[0];
    if (!groups.has(prefix)) groups.set(prefix, []);
    groups.get(prefix).push(name);
  }
  return [...groups.values()].flat();
}
