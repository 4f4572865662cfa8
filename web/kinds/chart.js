/** Numbers over time, a line each. Only the range, the window, the limits and the lines' ends have labels. */

import { knownUntil } from "../client/health.js";
import { valueRange } from "../draw/scale.js";
import { drawLines } from "../page/canvas.js";
import { addElement, setText } from "../page/dom.js";
import { face, label } from "../text/face.js";
import { duration, limit, number } from "../text/format.js";

/** The most characters of a label at a line's end. */
const LONGEST = 18;
/** A limit's label names the level, so that nobody takes it for an alarm. */
const WORDS = { warn: "warning", critical: "critical" };

class ChartBody {
  element = addElement("div", "body");

  #canvas = /** @type {HTMLCanvasElement} */ (addElement("canvas", "chart drawing", this.element));
  #scale = addElement("p", "scale words", this.element);

  constructor() {
    this.#canvas.role = "img";
  }

  /** @param {import("./kind.js").Stream[]} streams @param {import("./kind.js").Picture} picture */
  draw(streams, picture) {
    const { now, history } = picture;
    const lines = streams.map((stream) => ({
      ...history.series(stream).points(now),
      until: knownUntil(stream, picture),
      name: nameOf(stream, streams.length > 1),
    }));
    const from = Math.min(...streams.map((stream) => history.series(stream).begins(now)));
    drawLines(this.#canvas, lines, { from, to: now, limits: streams.length > 1 ? [] : limitsOf(streams[0]) });
    const { low, high } = valueRange(lines);
    const words = low < Infinity ? [low === high ? number(low) : `${number(low)} to ${number(high)}`, duration(now - from)] : [];
    setText(this.#scale, words.join(" · "));
    const spoken = `${lines.map(({ name }) => name).join(", ")}; ${words.join(", ")}`;
    if (this.#canvas.ariaLabel !== spoken) this.#canvas.ariaLabel = spoken;
  }
}

/** @type {import("./kind.js").Kind} */
export const chart = {
  name: "chart",
  suits: () => false, // a number is a value, unless somebody asks for a chart
  several: true,
  weight: 2,
  Body: ChartBody,
};

/** The label at a line's end: the value, after the stream's label if there are several lines. */
function nameOf(stream, several) {
  const { value, unit } = face(stream);
  const name = [several ? label(stream) : "", value, unit].filter(Boolean).join(" ");
  return name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name;
}

/**
 * The limits that a chart can show: those that are a number with "<" or ">".
 * @param {import("./kind.js").Stream} stream
 * @returns {import("../draw/scale.js").Limit[]}
 */
export function limitsOf({ description }) {
  const found = [];
  for (const level of /** @type {const} */ (["warn", "critical"])) {
    const [, value] = String(description[level] ?? "").match(/^\s*[<>]=?\s*(\S+)\s*$/) ?? [];
    if (value && Number.isFinite(Number(value))) found.push({ value: Number(value), level, text: `${WORDS[level]} ${limit(description[level])}` });
  }
  return found;
}
