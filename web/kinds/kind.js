/**
 * The contract of a kind of tile, and the choice of the kind that shows a stream.
 *
 * The frame (wall/tile.js) owns everything that all tiles share: rule and fuse, label, the text beside the label, the line of
 * evidence, and the looks of late, failed, lost, warning and critical. A kind owns the body between label and evidence:
 *
 *     ┌ rule: the fuse ──────────────┐      ┌ rule: the fuse ──────────────┐
 *     │ label                  aside │      │ label                  aside │
 *     │ ┌ body ────────────────────┐ │      │ ┌ .side ─┐ ┌ .picture ─────┐ │
 *     │ │                          │ │  or  │ └────────┘ │               │ │  body of the classes "body sided"
 *     │ └──────────────────────────┘ │      │  evidence  │               │ │
 *     │ evidence                     │      │            └───────────────┘ │
 *     └──────────────────────────────┘      └──────────────────────────────┘
 *
 * Classes for elements in a body, whose look then follows the state of the stream: ink it shows the value: muted if the value is
 * not current, hollow while its source has failed or the link is lost drawing  an SVG in the colours of data: muted where the
 * value is not current words it stays legible while the tile is hatched
 */

import { wordOf } from "../text/values.js";
import * as registry from "./registry.js";

/**
 * @typedef {import("../client/link.js").Stream} Stream
 * @typedef {"s"|"m"|"l"|"wide"|"hero"} SizeName  see SIZES in wall/layout.js for columns and rows
 *
 * @typedef {object} TileSpec  a tile in the wall's configuration
 * @property {string[]} names  of its streams
 * @property {string} [title]
 * @property {string} [show]  the name of a kind
 * @property {SizeName} [size]
 * @property {string} [group]  the title of its group
 *
 * @typedef {TileSpec & Record<string, any>} Spec  with the options of its kind, by the names in the configuration
 *
 * @typedef {object} WallFacts
 * @property {number} tick  seconds between two ticks
 * @property {import("../client/history.js").History} history
 * @property {string} [language]  of the wall, such as "de"; undefined: the browser's
 * @property {string} [timezone]  of the wall, such as "Europe/Berlin"; undefined: the browser's
 *
 * @typedef {import("../client/health.js").Picture & WallFacts} Picture
 *
 * @typedef {object} Box  the room of a body, in u, between the label and the line of evidence
 * @property {SizeName} size
 * @property {number} width
 * @property {number} height
 * @property {number} full  its height while no band and no notice takes room from the wall; a body that keeps its arrangement
 *   meanwhile is arranged for it
 * @property {number} foot  the height of the line of evidence, which a sided body gives to its picture; 0: no such line now
 * @property {number} spare  the height of that line, if a body without evidence may take it; 0: it may not
 * @property {number} unit  how many pixels u has
 *
 * @typedef {object} Part  a piece of evidence. It is shown whole or not at all.
 * @property {string} [strong]  its bold beginning: "+4.1 %"
 * @property {string} [text]  the rest: "on last Friday"
 * @property {"warn"|"critical"} [level]  the colour of `strong`
 * @property {boolean} [always]  whether it is shown for values that are not current, too: "+7 more"
 *
 * @typedef {object} Need  a thing that needs attention, for the header
 * @property {string} name  of the thing: "Payments"
 * @property {string} [text]  its trouble: "down 20 min"
 * @property {"warn"|"critical"} level
 *
 * @typedef {object} Body  the inside of a tile. Any method may throw: then this tile alone shows as failed, with the reason.
 * @property {HTMLElement} element  of the class "body", made by the body's constructor
 * @property {string} [aside]  the text right of the label: a scale or the key of a comparison
 * @property {boolean} [whole]  whether it shows everything and has no evidence if it takes the spare line. The age of the value
 *   then stands beside the label.
 * @property {(box: Box) => void} [fit]  take this room: called before the first update, and when the room has changed
 * @property {(streams: Stream[], picture: Picture, spec: Spec) => void} [update]  a stream, its description or its health changed
 * @property {(streams: Stream[], picture: Picture, spec: Spec) => void} [draw]  called once a second while the tile is visible, and
 *   when its room has changed
 * @property {(streams: Stream[], picture: Picture, spec: Spec) => Part[]} [evidence]  facts that the picture does not show, the
 *   most important first. Called for visible tiles only; the frame adds limits, ages and states.
 * @property {(streams: Stream[], picture: Picture, spec: Spec) => Need[]} [needs]  the parts of a tile of many parts that need
 *   somebody, the worst first; absent: the tile itself is named
 *
 * @typedef {object} Kind
 * @property {string} name  what `show` says, and the tile's attribute `data-kind` for style sheets
 * @property {(value: any) => boolean} suits  whether it shows such a value of one stream if no `show` is configured. At most one
 *   kind suits a value.
 * @property {boolean} [several]  whether it shows several streams on one tile
 * @property {boolean} [parts]  whether its tile has many parts, and fills the critical part itself. Other critical tiles are
 *   filled completely by the frame.
 * @property {SizeName} size  the size of a tile whose configuration names none
 * @property {{width: number, height: number}} least  the smallest tile that is legible, in u, with label and evidence
 * @property {new () => Body} Body
 */

/** All kinds by name. @type {ReadonlyMap<string, Kind>} */
export const KINDS = new Map(Object.values(registry).map((kind) => [kind.name, kind]));

/**
 * The kind that shows these streams: from the wall's configuration, from the stream's, or the one that suits the value.
 * @param {Stream[]} streams  at least one
 * @param {string} [show]  from the wall's configuration; an unknown name is ignored, because a page may be older than its server
 * @returns {Kind}
 */
export function kindOf([stream, ...others], show) {
  const said = KINDS.get(show ?? stream.description.show);
  if (others.length) return said?.several ? said : together([stream, ...others]);
  return said ?? [...KINDS.values()].find(({ suits }) => suits(wordOf(stream.value, stream.description) ?? stream.value)) ?? registry.value;
}

/**
 * The kind for several streams without a configured kind: a band for words, a chart for anything else.
 * @param {Stream[]} streams
 */
function together(streams) {
  return streams.some(({ value }) => typeof value === "string" || typeof value === "boolean") ? registry.band : registry.chart;
}
