/** The contract of a kind of tile, and the choice of the kind that shows a stream. */

import * as registry from "./registry.js";

/**
 * @typedef {import("../client/link.js").Stream} Stream
 *
 * @typedef {object} Spec  a tile in the wall's configuration
 * @property {string[]} names  of its streams
 * @property {string} [title]
 * @property {string} [show]  the name of a kind
 *
 * @typedef {import("../client/health.js").Picture & {tick: number, history: import("../client/history.js").History}} Picture
 *
 * @typedef {object} Room  for the numerals in a row, in characters: they share one size
 * @property {number} numeral
 * @property {number} unit
 *
 * @typedef {object} Body  the inside of a tile. Any method may throw: then the tile shows as failed.
 * @property {HTMLElement} element  of the class "body", made by the body's constructor
 * @property {(streams: Stream[], picture: Picture, spec: Spec) => void} [update]  a stream, its description or its health changed
 * @property {(streams: Stream[], picture: Picture, spec: Spec) => void} [draw]  called once a second while the tile is visible
 * @property {(stream: Stream, picture: Picture) => string} [change]  evidence: how the value has changed, or ""
 * @property {Room|null} [numeral]  how wide its numeral and unit are; null or absent: it shows no number
 * @property {(room: Room) => void} [fit]  take the row's size
 *
 * @typedef {object} Kind
 * @property {string} name  what `show` says, and the tile's attribute `data-kind` for style sheets
 * @property {(value: any) => boolean} suits  whether it shows such a value of one stream, when no `show` says otherwise. At
 *   most one kind suits a value.
 * @property {boolean} [several]  whether it shows several streams on one tile
 * @property {number} weight  how many columns it takes
 * @property {new () => Body} Body
 */

/** All kinds by name. @type {ReadonlyMap<string, Kind>} */
export const KINDS = new Map(Object.values(registry).map((kind) => [kind.name, kind]));

/**
 * The kind that shows these streams: as the wall says, as the stream says, or as the value suggests.
 * @param {Stream[]} streams  at least one
 * @param {string} [show]  from the wall's configuration; an unknown name is ignored, because a page may be older than its server
 * @returns {Kind}
 */
export function kindOf([stream, ...others], show) {
  const said = KINDS.get(show ?? stream.description.show);
  if (others.length) return said?.several ? said : find(({ several }) => several);
  return said ?? find(({ suits }) => suits(stream.value));
}

/** @param {(kind: Kind) => boolean|undefined} fits @returns {Kind} */
function find(fits) {
  return [...KINDS.values()].find(fits) ?? registry.value;
}
