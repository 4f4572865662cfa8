/** A number with the line of its past below, or a text. */

import { knownUntil } from "../client/health.js";
import { drawLines } from "../page/canvas.js";
import { addElement } from "../page/dom.js";
import { Figure } from "../page/figure.js";
import { isShort } from "../text/face.js";
import { duration, number } from "../text/format.js";

/** The longest and the shortest time in seconds over which a change is told. */
const LONGEST = 3600;
const SHORTEST = 300;

class ValueBody extends Figure {
  #spark = /** @type {HTMLCanvasElement} */ (addElement("canvas", "spark drawing", this.element));

  constructor() {
    super();
    this.#spark.ariaHidden = "true"; // the evidence says the same in words
  }

  /** @param {import("./kind.js").Stream[]} streams */
  update(streams) {
    super.update(streams);
    this.#spark.hidden = this.numeral === null;
  }

  /** @param {import("./kind.js").Stream[]} streams @param {import("./kind.js").Picture} picture */
  draw([stream], picture) {
    if (!this.numeral) return;
    const { now } = picture;
    const series = picture.history.series(stream);
    drawLines(this.#spark, [{ ...series.points(now), until: knownUntil(stream, picture) }], { from: series.begins(now), to: now });
  }

  /** @param {import("./kind.js").Stream} stream @param {import("./kind.js").Picture} picture @returns {string} */
  change(stream, { history, now }) {
    return typeof stream.value === "number" ? changeOf(history.series(stream), now) : "";
  }
}

/** @type {import("./kind.js").Kind} */
export const value = {
  name: "value",
  suits: (value) => value === undefined || value === null || typeof value === "number" || (typeof value === "string" && !isShort(value)),
  weight: 1,
  Body: ValueBody,
};

/**
 * How much a number has changed: "+12 in 1 h". Empty if it has not, or if its history is too short.
 * @param {import("../client/series.js").Series} series
 * @param {number} now  in seconds
 * @returns {string}
 */
export function changeOf(series, now) {
  const { times, values } = series.points(now);
  const since = Math.max(series.begins(now), now - LONGEST);
  let first = times.length - 1;
  while (first > 0 && times[first] > since) first--;
  const difference = values[values.length - 1] - values[first];
  if (!difference || now - since < SHORTEST) return ""; // a gap makes the difference NaN
  return `${difference > 0 ? "+" : "−"}${number(Math.abs(difference))} in ${duration(now - since)}`;
}
