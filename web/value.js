/** A number or a text; under a number, what it was. */

import { plot } from "./plot.js";
import { face, glyphs, until } from "./view.js";
import { make, mark, style, write } from "./write.js";

export class Value {
  element = make("div", "body");
  /** Whether it shows a number: those of a row have one size. */
  number = false;
  /** How wide numeral and unit are, in characters. */
  width = { numeral: 0, unit: 0 };

  #value;
  #unit;
  /** @type {HTMLCanvasElement|null} */
  #spark = null;
  /** What the face was made from: the same update and description make the same face. */
  #made = {};

  /** @param {string} kind  "value", or "status": a word, and no line */
  constructor(kind) {
    const figure = make("p", "figure", this.element);
    this.#value = make("bdi", "value", figure);
    this.#unit = make("bdi", "unit", figure);
    if (kind === "value") this.#spark = /** @type {HTMLCanvasElement} */ (make("canvas", "spark", this.element));
    this.#spark?.setAttribute("aria-hidden", "true");
  }

  /** @param {import("./streamd.js").Stream[]} streams */
  update([stream]) {
    const { at, seq, description } = stream;
    if (at === this.#made.at && seq === this.#made.seq && description === this.#made.description) return;
    this.#made = { at, seq, description };
    const { value, size, unit, exact } = face(stream);
    this.number = typeof stream.value === "number";
    this.width = { numeral: size === "numeral" ? glyphs(value) : 0, unit: glyphs(unit) };
    write(this.#value, value);
    write(this.#unit, unit);
    mark(this.element, "size", size);
    if (this.#value.title !== exact) this.#value.title = exact;
    if (this.#spark) this.#spark.hidden = !this.number;
  }

  /**
   * The numeral's size, by what it has room for at least.
   * @param {{numeral: number, unit: number}} room  in characters
   */
  fit({ numeral, unit }) {
    style(this.element, "--glyphs", Math.max(numeral, this.width.numeral));
    style(this.element, "--unit", unit);
  }

  /** @param {import("./streamd.js").Stream[]} streams @param {import("./tile.js").Picture} picture */
  draw([stream], picture) {
    const { now, histories } = picture;
    if (!this.#spark || !this.number) return;
    const history = histories.get(stream);
    const { times, values } = history.points(now);
    plot(this.#spark, [{ times, values, until: until(stream, picture) }], { from: history.begins(now), to: now });
  }
}
