/** A text in the largest type in which it fits. */

import { fitText } from "../draw/numeral.js";
import { addElement, setProperty, setText } from "../page/dom.js";
import { misfit } from "../text/misfit.js";
import { inline } from "../text/values.js";

/** The scale of notices in u: the steps of numerals, and below them those of rows. */
const STEPS = [17, 11, 8, 5.6, 4.8, 4.2, 3.6, 3.1, 2.7];

class NoticeBody {
  element = addElement("div", "body");
  whole = true;

  #text = addElement("p", "notice ink", this.element);
  #box = { width: 24, height: 10 };
  #waiting = true;

  /** @param {import("./kind.js").Box} box */
  fit(box) {
    this.#box = { width: box.width, height: box.height + box.spare };
    this.#arrange();
  }

  /** @param {import("./kind.js").Stream[]} streams  one @param {import("./kind.js").Picture} picture @throws {TypeError}  if its value is an array or an object */
  update([{ value, description, seq }], picture) {
    if (typeof value === "object" && value !== null) throw misfit("notice", "aText", value);
    this.#waiting = !seq;
    setText(this.#text, inline(value ?? null, description, picture));
    this.#arrange();
  }

  #arrange() {
    const { step, lines } = fitText(this.#text.textContent ?? "", this.#box, this.#waiting ? STEPS.slice(3) : STEPS);
    setProperty(this.#text, "--step", step);
    setProperty(this.#text, "--lines", lines);
  }
}

/** @type {import("./kind.js").Kind} */
export const notice = {
  name: "notice",
  suits: () => false, // a text is a value or a status, unless somebody asks for a notice
  size: "m",
  least: { width: 24, height: 13 },
  Body: NoticeBody,
};
