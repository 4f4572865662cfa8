/** A number with the line of its past, a time with the duration until it, or a text. */

import { changeAgainst, changeOf, daysOf } from "../draw/captions.js";
import { setHidden } from "../page/dom.js";
import { Figure } from "../page/figure.js";
import { Meter, ROOM } from "../parts/meter.js";
import { Timeline, knownPoints, windowOf } from "../parts/timeline.js";
import { isShort } from "../text/face.js";
import { leftUntil } from "../text/moments.js";
import { inline, isAmount, isTime } from "../text/values.js";

/** @typedef {import("./kind.js").Stream} Stream @typedef {import("./kind.js").Picture} Picture @typedef {import("./kind.js").Spec} Spec */

/** The formats that show a distance in time instead of the time itself. */
const AWAY = new Set(["since", "until"]);

class ValueBody extends Figure {
  #spark = new Timeline(false); // the evidence says the same in words
  #meter = new Meter();
  /** @type {import("./kind.js").Box|null} */
  #box = null;

  constructor() {
    super(true);
    this.picture.append(this.#spark.element);
    this.element.append(this.#meter.element);
    this.#meter.element.hidden = true;
  }

  /** @param {import("./kind.js").Box} box */
  fit(box) {
    const taken = this.#meter.element.hidden ? 0 : ROOM;
    super.fit({ ...box, height: box.height - taken, full: box.full - taken });
    this.#box = box;
    this.#spark.update();
  }

  /** @param {Stream[]} streams @param {Picture} picture */
  update(streams, picture) {
    super.update(streams, picture);
    this.#spark.update();
    this.#measure(streams, picture);
  }

  /** The bar of the time that is left. @param {Stream[]} streams @param {Picture} picture */
  #measure([{ value, description }], picture) {
    const left = description.format === "until" ? leftUntil(value, description, picture) : null;
    const changes = this.#meter.element.hidden !== (left === null);
    setHidden(this.#meter.element, left === null);
    if (left !== null) this.#meter.show({ filled: left });
    if (changes && this.#box) this.fit(this.#box);
  }

  /** @param {Stream[]} streams @param {Picture} picture @param {Spec} spec */
  draw(streams, picture, spec) {
    super.draw(streams, picture);
    this.#measure(streams, picture);
    if (this.element.classList.contains("bare")) return;
    const [{ description }] = streams;
    this.#spark.draw(streams, picture, { unit: this.#box?.unit ?? 10, bare: true, window: windowOf(spec, description), compare: daysOf(spec.compare ?? description.compare) });
  }

  /** @param {Stream[]} streams @param {Picture} picture @param {Spec} spec @returns {import("./kind.js").Part[]} */
  evidence([stream], picture, spec) {
    const { value, description } = stream;
    if (AWAY.has(description.format) && isTime(value, description, picture)) return [{ text: inline(value, { format: "time" }, picture) }];
    if (!isAmount(value, description)) return [];
    const days = daysOf(spec.compare ?? description.compare);
    const part = days
      ? changeAgainst(value, this.#spark.ghost, days, description, picture)
      : changeOf(knownPoints(stream, picture, windowOf(spec, description)).points, description, picture);
    return part ? [...this.apart, part] : this.apart;
  }
}

/** @type {import("./kind.js").Kind} */
export const value = {
  name: "value",
  suits: (value) => value === undefined || value === null || typeof value === "number" || (typeof value === "string" && !isShort(value)),
  size: "s",
  least: { width: 20, height: 13 },
  Body: ValueBody,
};
