/** What numbers were: a line each. Only low, high and the window are labelled, and the lines at their ends. */

import { duration, limit, number } from "./format.js";
import { plot, span } from "./plot.js";
import { face, label, until } from "./view.js";
import { make, write } from "./write.js";

/** Characters of a name at a line's end. */
const LONGEST = 18;

/** A limit is no alarm: it says what it would be. */
const WORDS = { warn: "warning", critical: "critical" };

export class Chart {
  element = make("div", "body");
  number = false;
  width = { numeral: 0, unit: 0 };

  #canvas;
  #scale;

  constructor() {
    this.#canvas = /** @type {HTMLCanvasElement} */ (make("canvas", "chart", this.element));
    this.#canvas.role = "img";
    this.#scale = make("p", "scale", this.element);
  }

  /** It steps once a second; see `draw`. */
  update() {}

  fit() {}

  /** @param {import("./streamd.js").Stream[]} streams @param {import("./tile.js").Picture} picture */
  draw(streams, picture) {
    const { now, histories } = picture;
    const many = streams.length > 1;
    const lines = streams.map((stream) => {
      const { value, unit } = face(stream);
      const name = [many ? label(stream) : "", value, unit].filter(Boolean).join(" ");
      return { ...histories.get(stream).points(now), until: until(stream, picture), name: name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name };
    });
    const from = Math.min(...streams.map((stream) => histories.get(stream).begins(now)));
    plot(this.#canvas, lines, { from, to: now, limits: many ? [] : limits(streams[0]) });
    const { low, high } = span(lines);
    const words = low < Infinity ? [low === high ? number(low) : `${number(low)} to ${number(high)}`, duration(now - from)] : [];
    write(this.#scale, words.join(" · "));
    const told = `${lines.map(({ name }) => name).join(", ")}; ${words.join(", ")}`;
    if (this.#canvas.ariaLabel !== told) this.#canvas.ariaLabel = told;
  }
}

/** @param {import("./streamd.js").Stream} stream @returns {import("./plot.js").Limit[]} */
function limits({ description }) {
  const found = [];
  for (const level of /** @type {const} */ (["warn", "critical"])) {
    const [, value] = String(description[level] ?? "").match(/^\s*[<>]=?\s*(\S+)\s*$/) ?? [];
    if (value && Number.isFinite(Number(value))) found.push({ value: Number(value), level, text: `${WORDS[level]} ${limit(description[level])}` });
  }
  return found;
}
