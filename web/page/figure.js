/** A value in large type with its unit, or a longer text in the size of text. */

import { characters, face } from "../text/face.js";
import { addElement, setData, setProperty, setText } from "./dom.js";

export class Figure {
  element = addElement("div", "body");

  #value;
  #unit;
  #isNumber = false;
  /** In characters; a longer text has no numeral. */
  #width = { numeral: 0, unit: 0 };
  /** The update and description that the face was made from. The same ones make the same face. */
  #made = {};

  constructor() {
    const figure = addElement("p", "figure", this.element);
    this.#value = addElement("bdi", "value ink", figure);
    this.#unit = addElement("bdi", "unit words", figure);
  }

  /** How wide a number and its unit are, in characters; null: it shows no number. */
  get numeral() {
    return this.#isNumber ? this.#width : null;
  }

  /** @param {import("../client/link.js").Stream[]} streams  one */
  update([stream]) {
    const { at, seq, description } = stream;
    if (at === this.#made.at && seq === this.#made.seq && description === this.#made.description) return;
    const { value, size, unit, exact } = face(stream);
    this.#isNumber = typeof stream.value === "number";
    this.#width = { numeral: size === "numeral" ? characters(value) : 0, unit: characters(unit) };
    setText(this.#value, value);
    setText(this.#unit, unit);
    setData(this.element, "size", size);
    if (this.#value.title !== exact) this.#value.title = exact;
    this.#made = { at, seq, description };
  }

  /**
   * Choose the size: that of the row, smaller for a longer word.
   * @param {{numeral: number, unit: number}} room  in characters
   */
  fit({ numeral, unit }) {
    setProperty(this.element, "--characters", Math.max(numeral, this.#width.numeral));
    setProperty(this.element, "--unit", unit);
  }
}
