/** A number on its way to a goal: its share of the goal as a figure, and a bar with a tick where it should end by now. */

import { measure } from "../draw/progress.js";
import { addElement, setHidden } from "../page/dom.js";
import { Figure } from "../page/figure.js";
import { Meter, ROOM } from "../parts/meter.js";
import { misfit } from "../text/misfit.js";
import { spanOf } from "../text/moments.js";
import { inline } from "../text/values.js";
import { say } from "../text/words.js";

/** @typedef {import("./kind.js").Stream} Stream @typedef {import("./kind.js").Picture} Picture @typedef {import("./kind.js").Spec} Spec */

/** The height of the smallest figure, in u: a lower body has only the bar. */
const FIGURE = 3.6;
/** A share of this many percent or more has no decimals. */
const LARGE = 1000;

class ProgressBody {
  element = addElement("div", "body progress");

  #figure = new Figure();
  #meter = new Meter();

  constructor() {
    this.element.append(this.#figure.element, this.#meter.element);
  }

  /** @param {import("./kind.js").Box} box */
  fit(box) {
    setHidden(this.#figure.element, box.full < FIGURE + ROOM);
    this.#figure.fit({ ...box, height: box.height - ROOM, full: box.full - ROOM });
  }

  /** @param {Stream[]} streams  one @param {Picture} picture @param {Spec} spec @throws {TypeError}  if its value is no number */
  update([stream], picture, spec) {
    const { value } = stream;
    if (typeof value !== "number" && stream.seq && value !== null) throw misfit("progress", "aNumber", value);
    const known = progressOf(stream, picture, spec);
    setHidden(this.#meter.element, known === null);
    const share = known && 100 * known.share;
    const description = { format: "percent", decimals: share !== null && Math.abs(share) < LARGE ? 1 : 0 };
    this.#figure.update([{ ...stream, value: share, exact: undefined, description }], picture);
    if (known) this.#meter.show(known);
  }

  /** Draw the bar again: its tick moves with time. @param {Stream[]} streams @param {Picture} picture @param {Spec} spec */
  draw(streams, picture, spec) {
    const known = progressOf(streams[0], picture, spec);
    if (known) this.#meter.show(known);
  }

  /** @param {Stream[]} streams @param {Picture} picture @param {Spec} spec @returns {import("./kind.js").Part[]} */
  evidence([stream], picture, spec) {
    const known = progressOf(stream, picture, spec);
    if (!known) return [];
    const { goal, description } = settingsOf(stream, spec);
    const write = (/** @type {number} */ value) => inline(value, description, picture, true);
    const whole = { strong: write(stream.value), text: say("ofGoal", picture, { goal: write(goal) }) };
    const { ahead } = known;
    if (ahead === null) return [whole];
    return [{ strong: write(Math.abs(ahead)), text: say(ahead < 0 ? "behind" : "aheadOfTime", picture) }, whole];
  }
}

/** The goal, its time and the format; the tile's settings come before the stream's. */
function settingsOf({ description }, spec) {
  const { goal, from, by, format, currency, decimals } = { ...description, ...defined(spec) };
  return { goal, from, by, description: { ...description, words: undefined, format, currency, decimals } };
}

/** The options of a tile that take the place of the stream's. @param {Spec} spec */
function defined(spec) {
  return Object.fromEntries(["goal", "from", "by", "format", "currency", "decimals"].flatMap((key) => (spec[key] === undefined ? [] : [[key, spec[key]]])));
}

/**
 * How far a value is on its way to the goal.
 * @returns {import("../draw/progress.js").Progress|null}  null: without a number, or without a goal
 */
function progressOf(stream, picture, spec) {
  const { goal, from, by } = settingsOf(stream, spec);
  if (typeof stream.value !== "number" || !goal) return null;
  return measure(stream.value, goal, spanOf({ from, by }, picture), picture.now);
}

/** @type {import("./kind.js").Kind} */
export const progress = {
  name: "progress",
  suits: () => false, // a number is a value, unless somebody asks for a goal
  size: "s",
  least: { width: 20, height: 9 },
  Body: ProgressBody,
};
