/** A value in large type with its unit, or a longer text; and the room for a picture of its past. */

import { fitNumeral, fitText, isUnitApart, reachesBelow } from "../draw/numeral.js";
import { characters, face, isScaled } from "../text/face.js";
import { misfit } from "../text/misfit.js";
import { isAmount, isMoving } from "../text/values.js";
import { addElement, setData, setProperty, setText } from "./dom.js";

/** The least number of digits for which a number has room, so that it keeps its size while it grows. */
const DIGITS = 2;
/** A value with at most this many characters has no shorter form. */
const SHORT = 4;
/**
 * To show all digits, a numeral may be one step of the scale smaller, but not two (each step is two thirds of the next), and not
 * below the scale.
 */
const DROP = 0.6;
const LEAST = 5.6;
/** The text of no value, and of null. */
const NOTHING = "—";
/** What reaches below the digits of a number. */
const TAIL = /[,;]/;
const SHAPES = ["sided", "beside", "below", "bare"];

export class Figure {
  element = addElement("div", "body");
  /** The place of the picture. @type {HTMLElement} */
  picture;
  /** Whether it shows a number. */
  isNumber = false;
  /** What the evidence says besides: a unit that has no room beside its number. @type {import("../kinds/kind.js").Part[]} */
  apart = [];

  #before;
  #value;
  #unit;
  /** The name of the kind whose body it is, for errors. */
  kind = "value";
  /** @type {import("../text/face.js").Face} */
  #shown = { before: "", value: "", size: "numeral", unit: "", exact: "" };
  /** The same face with fewer digits. */
  #narrow = this.#shown;
  #box = { width: 26, height: 10 };
  #pictured;
  /** The update and the description from which the face was made: the same ones would make the same face. */
  #made = {};

  /** @param {boolean} [pictured]  whether a number has a picture */
  constructor(pictured = false) {
    this.#pictured = pictured;
    const figure = addElement("p", "figure", addElement("div", "side", this.element));
    this.#before = addElement("bdi", "unit before words", figure);
    this.#value = addElement("bdi", "value ink", figure);
    this.#unit = addElement("bdi", "unit words", figure);
    this.picture = addElement("div", "picture", this.element);
  }

  /** @param {import("../kinds/kind.js").Box} box */
  fit(box) {
    this.#box = box;
    this.#arrange();
  }

  /**
   * @param {import("../client/link.js").Stream[]} streams  one
   * @param {import("../kinds/kind.js").Picture} picture
   * @throws {TypeError}  if its value is an array or an object
   */
  update([stream], picture) {
    if (typeof stream.value === "object" && stream.value !== null) throw misfit(this.kind, "a number or a text", stream.value);
    const { at, seq, description } = stream;
    if (at === this.#made.at && seq === this.#made.seq && description === this.#made.description) return;
    this.#shown = face(stream, picture);
    this.#narrow = characters(this.#shown.value) > SHORT ? face(stream, picture, true) : this.#shown;
    this.isNumber = isAmount(stream.value, description);
    this.#arrange();
    this.#made = { at, seq, description };
  }

  #arrange() {
    /** @type {{face: import("../text/face.js").Face, fit: {shape: string, step: number, lines?: number}}} */
    const { face, fit } = this.#shown.size === "text" ? { face: this.#shown, fit: { shape: "bare", ...fitText(this.#shown.value, this.#box) } } : this.#fitted();
    for (const each of SHAPES) this.element.classList.toggle(each, each === fit.shape);
    setProperty(this.element, "--step", fit.step);
    setProperty(this.element, "--lines", fit.lines ?? 1);
    const isApart = isUnitApart(face, fit, this.#box);
    this.apart = isApart ? [{ text: face.unit, always: true }] : [];
    this.#write(isApart ? { ...face, unit: "" } : face);
  }

  /** The face to show: with fewer digits if all digits would make it much smaller, or smaller than the face in the next unit. */
  #fitted() {
    const [wide, narrow] = [this.#shown, this.#narrow].map((face) => ({ face, fit: this.#numeral(face) }));
    if (isScaled(wide.face, narrow.face)) return wide.fit.step < narrow.fit.step ? narrow : wide;
    return wide.fit.step < Math.min(narrow.fit.step, Math.max(DROP * narrow.fit.step, LEAST)) ? narrow : wide;
  }

  /** The size of a number in the box. @param {import("../text/face.js").Face} face */
  #numeral({ before, value, unit }) {
    const wide = this.isNumber ? value.padStart(DIGITS, "0") : value;
    return fitNumeral({ before, value: wide, unit }, this.#box, this.#pictured && this.isNumber);
  }

  /** Write the parts of a value into their elements. @param {import("../text/face.js").Face} face */
  #write({ before, value, size, unit, exact }) {
    setText(this.#before, before);
    setText(this.#value, value);
    setText(this.#unit, unit);
    setData(this.element, "deep", size !== "text" && reachesBelow(value) ? "" : undefined);
    setData(this.element, "tailed", size !== "text" && TAIL.test(value) ? "" : undefined);
    setData(this.element, "size", value === NOTHING ? "none" : size);
    if (this.#value.title !== exact) this.#value.title = exact;
  }

  /**
   * Write the value again if its text changes with time.
   * @param {import("../client/link.js").Stream[]} streams  one
   * @param {import("../kinds/kind.js").Picture} picture
   * @param {import("../kinds/kind.js").Spec} [_spec]  kinds with a figure have options
   */
  draw(streams, picture, _spec) {
    if (!isMoving(streams[0].description)) return;
    this.#made = {};
    this.update(streams, picture);
  }
}
