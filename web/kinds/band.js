/** The states of streams over time, one row for each: a line while it is well, a block while it is not. */

import { knownUntil, stateOf } from "../client/health.js";
import { drawBand } from "../draw/band.js";
import { axisText } from "../draw/captions.js";
import { roundTimes } from "../draw/hours.js";
import { emsOf } from "../draw/numeral.js";
import { SCORE } from "../draw/score.js";
import { addElement, setData, setHidden, setProperty, setText } from "../page/dom.js";
import { Plot } from "../page/plot.js";
import { edgeText, windowOf } from "../parts/timeline.js";
import { label } from "../text/face.js";
import { misfit } from "../text/misfit.js";
import { rankOf, SIGNS } from "../text/ranks.js";
import { duration } from "../text/times.js";
import { say } from "../text/words.js";

/** @typedef {import("./kind.js").Stream} Stream @typedef {import("./kind.js").Picture} Picture @typedef {import("./kind.js").Spec} Spec */

/** The window of a band whose tile names none, in seconds. */
const WINDOW = 8 * 3600;
/** In u: the size of a name, the space beside it, the gutter for the present state, the room of a time below. */
const NAME = 2.6;
const SPACE = 2;
const RIGHT = 11;
const TIME = 9;
/** How wide a name may be in a score, where it may reach into the column with the count, in u. */
const REACH = 19;
/** The share of the width that names may take. */
const NAMES = 0.35;
/** The height of a band that has times below, in u. */
const AXIS = 13;
/** The space below the label, in u: a critical row is filled up to its edge. */
const ABOVE = 0.4;

class BandBody {
  element = addElement("div", "body");

  #side = addElement("div", "side", this.element);
  #count = addElement("p", "count", this.#side);
  #strong = addElement("b", "", this.#count);
  #rest = addElement("span", "", this.#count);
  #plot = new Plot(true);
  #box = { width: 50, height: 20, foot: 3, unit: 10 };
  /** The inputs of the picture as text: it is drawn again when they have changed, or when time has moved it by half a pixel. */
  #key = "";

  constructor() {
    addElement("div", "picture", this.element).append(this.#plot.element);
  }

  /** @param {import("./kind.js").Box} box */
  fit(box) {
    this.#box = box;
  }

  /** @param {Stream[]} streams @throws {TypeError}  if one of them is an array or an object */
  update(streams) {
    for (const { value } of streams) if (typeof value === "object" && value !== null) throw misfit("band", "streams with limits, or of texts", value);
  }

  /** @param {Stream[]} streams @param {Picture} picture @param {Spec} spec */
  draw(streams, picture, spec) {
    const { score } = spec;
    this.element.classList.toggle("sided", Boolean(score));
    if (score) setProperty(this.#side, "--side", SCORE.side);
    const side = score ? SCORE.side + SCORE.space : 0;
    const { width, unit } = this.#box;
    const height = this.#box.height + (score ? this.#box.foot : -ABOVE);
    const to = Math.min(picture.now, picture.lost ?? Infinity);
    const window = windowOf(spec, {}) ?? WINDOW;
    const rows = streams.map((stream) => rowOf(stream, picture, window, to));
    const isKnown = picture.status === "live" && picture.journal.state !== "away"; // otherwise nobody knows how many are up
    const known = rows.map(({ name, rank, text, spans }) => [name, rank, text, spans.length, spans[0]?.[0]]);
    const key = JSON.stringify([isKnown, width, height, unit, score?.first, Math.floor((to / window) * 2 * width * unit), known]);
    if (key === this.#key) return;
    this.#key = key;
    setHidden(this.#count, !isKnown);
    this.#countUp(rows, picture);
    const gutter = score ? SCORE.left : Math.min(NAMES * width, Math.max(...rows.map(({ name }) => emsOf(name))) * NAME + SPACE);
    const from = to - window;
    const most = Math.max(1, Math.floor((width - side - gutter - RIGHT) / TIME));
    this.#plot.show(drawBand({
      width: (width - side) * unit, height: height * unit, unit, left: gutter, right: RIGHT, names: score ? REACH : undefined, from, to, rows,
      rest: (count, worse) => say(worse || !isKnown ? "moreRows" : "moreUp", picture, { count }),
      times: roundTimes(from, to, most, picture).map((tick) => ({ time: tick.time, text: axisText(tick, picture) })),
      hairs: !score,
      edge: score || height < AXIS ? "" : edgeText(streams, picture),
    }));
    this.#plot.spoken = rows.map(({ name, text, rank }) => (rank === "ok" ? "" : `${name}: ${text}`)).filter(Boolean).join(", ") || streams.map(label).join(", ");
  }

  /** @param {Stream[]} streams @param {Picture} picture @returns {import("./kind.js").Part[]} */
  evidence(streams, picture) {
    if (this.element.classList.contains("sided")) return []; // the side says it
    const up = streams.filter((stream) => rankOf(stateOf(stream, picture), stream.health.level) === "ok").length;
    return up < streams.length ? [{ strong: String(up), text: say("ofTotalUp", picture, { total: streams.length }) }] : [];
  }

  /** Write how many rows are well. @param {import("../draw/band.js").Row[]} rows @param {Picture} picture */
  #countUp(rows, picture) {
    const up = rows.filter(({ rank }) => rank === "ok").length;
    setText(this.#strong, String(up));
    setText(this.#rest, ` ${say("ofTotalUp", picture, { total: rows.length })}`);
    setData(this.#count, "level", rows.some(({ rank }) => rank === "critical") ? "critical" : rows.some(({ rank }) => rank === "warn") ? "warn" : undefined);
  }
}

/**
 * The row of a stream for a window of some seconds that ends at `to`.
 * @param {Stream} stream
 * @param {Picture} picture
 * @param {number} window
 * @param {number} to
 * @returns {import("../draw/band.js").Row}
 */
function rowOf(stream, picture, window, to) {
  const state = stateOf(stream, picture);
  const rank = rankOf(state, stream.health.level);
  const spans = stream.seq ? picture.history.spans.newest(stream, window) : [];
  const begin = spans[spans.length - 1]?.[0] ?? to;
  const level = rank === "critical" || rank === "warn";
  const lost = state === "lost" && SIGNS[stream.health.level ?? ""];
  const text = level ? `${SIGNS[rank]} ${duration(Math.max(0, to - begin), 1, picture)}` : rank === "ok" ? "" : [SIGNS[rank], say(rank, picture)].filter(Boolean).join(" ");
  return { name: label(stream), spans, until: Math.min(knownUntil(stream, picture), to), rank, text: lost ? say("was", picture, { level: lost }) : text };
}

/** @type {import("./kind.js").Kind} */
export const band = {
  name: "band",
  suits: () => false, // states are a status, unless somebody asks for their past
  several: true,
  parts: true,
  size: "l",
  least: { width: 30, height: 13 },
  Body: BandBody,
};
