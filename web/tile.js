/**
 * One stream on the wall. `update()` is the only thing that touches the page, and a write that changes nothing is skipped.
 */

import { face, glyphs, view } from "./view.js";

/** A change lights the line for so long, and at most so often (milliseconds). */
const LIT = 600;
const REST = 2000;

export class Tile {
  /** A list item; the wall places it. @type {HTMLLIElement} */
  element;
  /** How it is shown, for the wall's summary. @type {import("./view.js").View|null} */
  view = null;
  /** How wide numeral and unit are, in characters. */
  width = { numeral: 0, unit: 0 };

  /** Whether it shows a number: those of a row have one size. */
  number = false;

  #label;
  #line;
  #value;
  #unit;
  #evidence;
  /** What the face was made from: the same update and description make the same face. */
  #made = {};
  #lit = -Infinity;

  /** @param {Document} document */
  constructor(document) {
    const make = (tag, name, parent) => {
      const element = document.createElement(tag);
      element.className = name;
      parent?.append(element);
      return element;
    };
    this.element = make("li", "tile");
    this.#label = make("h2", "label", this.element);
    this.#line = make("div", "line", this.element);
    const figure = make("p", "figure", this.element);
    this.#value = make("bdi", "value", figure);
    this.#unit = make("bdi", "unit", figure);
    const foot = make("p", "foot", this.element);
    this.#evidence = [make("bdi", "evidence", foot), make("bdi", "evidence", foot)];
  }

  /**
   * @param {import("./streamd.js").Stream} stream
   * @param {import("./view.js").Picture} picture
   */
  update(stream, picture) {
    if (stream.at !== this.#made.at || stream.description !== this.#made.description || stream.seq !== this.#made.seq) {
      this.#face(stream, picture);
    }
    const { state, level, evidence } = (this.view = view(stream, picture));
    mark(this.element, "state", state);
    mark(this.element, "level", level);
    this.#evidence.forEach((element, i) => write(element, evidence[i] ?? ""));
  }

  #face(stream, picture) {
    const { label, value, kind, unit, exact } = face(stream);
    const another = typeof stream.value === "object" ? this.#value.textContent !== value : this.#made.value !== stream.value;
    if (this.#made.seq && stream.seq && another && picture.status === "live") this.#light();
    this.#made = stream.seq ? { ...stream } : { description: stream.description, seq: 0 };
    this.number = typeof stream.value === "number";
    this.width = { numeral: kind === "numeral" ? glyphs(value) : 0, unit: glyphs(unit) };
    write(this.#label, label);
    write(this.#value, value);
    write(this.#unit, unit);
    mark(this.element, "kind", kind);
    if (this.#value.title !== exact) this.#value.title = exact;
  }

  /**
   * The numeral's size, by what it has room for at least.
   * @param {{numeral: number, unit: number}} room  in characters
   */
  fit({ numeral, unit }) {
    style(this.element, "--glyphs", Math.max(numeral, this.width.numeral));
    style(this.element, "--unit", unit);
  }

  #light() {
    const now = performance.now();
    if (now - this.#lit < REST || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    this.#lit = now;
    this.#line.animate([{ opacity: 1 }, { opacity: 0 }], { duration: LIT, pseudoElement: "::after" });
  }
}

/** @param {Element} element @param {string} text */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {HTMLElement} element @param {string} name @param {string} value */
export function mark(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

/** @param {HTMLElement} element @param {string} name @param {string|number} value */
export function style(element, name, value) {
  if (element.style.getPropertyValue(name) !== `${value}`) element.style.setProperty(name, `${value}`);
}
