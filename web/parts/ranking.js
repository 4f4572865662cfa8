/** Named numbers as bars: the name on its bar, the number at the right. With numbers below zero the bars have a shared zero. */

import { fitRows } from "../draw/columns.js";
import { emsOf } from "../draw/numeral.js";
import { barScale, reachesOver } from "../draw/ranking.js";
import { addElement, setData, setProperty, setText } from "../page/dom.js";
import { cut } from "../text/plain.js";

/** In u: the height of a row, the space between two bars, and between a bar and its number. */
const ROW = { least: 3.5, most: 4.8 };
/** While a band or a notice takes room, rows come this near to each other, so that none must be left out. */
const NEARER = { ...ROW, least: 3.2 };
/** Heights that differ by less than this, in u, differ by rounding only. */
const CLOSE = 0.1;
const GAP = 0.4;
const SPACE = 1;
/** The space above the first row, and of a notch below the last one, in u. */
const EDGES = 0.9;
/** The size of a name, in u at most, and as a share of its bar: its descenders end on the bar. */
const SIZE = { most: 2.9, share: 0.8 };
/** Widths are computed, not measured: a computed width times this is enough for bold characters, too. */
const MARGIN = 1.08;
/** The share of the width that names left of their bars may take. */
const NAMES = 0.5;
const LONGEST = 128;

/** @typedef {import("../draw/ranking.js").Ranked} Ranked */

export class Ranking {
  element = addElement("ol", "ranked");
  /** How many rows have no room. */
  more = 0;

  #room = { width: 30, height: 15, full: 15, spare: 0 };
  /** @type {HTMLElement[]} */
  #rows = [];
  /** @type {Ranked[]} */
  #ranked = [];
  /** @type {(value: number|null) => string} */
  #write = String;

  /**
   * Set the room for the rows.
   * @param {{width: number, height: number, full: number, spare: number}} room  in u; it takes the spare height if all rows have room then
   */
  fit({ width, height, full, spare }) {
    this.#room = { width, height, full, spare };
    this.#arrange();
  }

  /**
   * Draw the bars; `write` makes the texts of the numbers.
   * @param {Ranked[]} ranked
   * @param {(value: number|null) => string} write
   */
  show(ranked, write) {
    [this.#ranked, this.#write] = [ranked, write];
    this.#arrange();
  }

  #arrange() {
    const count = this.#ranked.length;
    const row = this.#room.height < this.#room.full - CLOSE ? NEARER : ROW;
    const large = fitRows(count, this.#room.height + this.#room.spare - EDGES, row);
    const { shown, height } = this.#room.spare && large.shown === count ? large : fitRows(count, this.#room.height, row);
    this.more = count - shown;
    const scale = barScale(this.#ranked.flatMap(({ value, former = null }) => [value, former]));
    const diverging = scale.zero > 0;
    const rows = this.#ranked.slice(0, shown).map((row) => ({ ...row, name: cut(row.name, LONGEST), text: this.#text(row, diverging) }));
    const size = Math.min(SIZE.most, SIZE.share * (height - GAP));
    const numbers = MARGIN * size * Math.max(0, ...rows.map(({ text }) => emsOf(text)));
    const names = Math.min(NAMES * this.#room.width, MARGIN * size * Math.max(0, ...rows.map(({ name }) => emsOf(name))));
    setData(this.element, "diverging", diverging ? "yes" : "no");
    for (const [name, value] of Object.entries({ height, size, zero: scale.zero, numbers, names })) setProperty(this.element, `--${name}`, value);
    while (this.#rows.length > shown) this.#rows.pop()?.remove();
    const track = this.#room.width - numbers - SPACE;
    rows.forEach((row, i) => writeRow((this.#rows[i] ??= makeRow(this.element)), row, scale, { size, track: diverging ? 0 : track }));
  }

  /**
   * The number as a text; if the signs of the numbers differ, positive numbers have a sign, too.
   * @param {Ranked} row
   * @param {boolean} signed
   */
  #text({ value }, signed) {
    return `${signed && value !== null && value > 0 ? "+" : ""}${this.#write(value)}`;
  }
}

/**
 * Write a name, its number and its bar into a row.
 * @param {HTMLElement} row
 * @param {Ranked & {text: string}} ranked
 * @param {ReturnType<typeof barScale>} scale
 * @param {{size: number, track: number}} room  the size of a name and the width of the longest bar, in u; a width of 0: names
 *   stand left of the bars
 */
function writeRow(row, { name, value, former = null, text }, { zero, at }, { size, track }) {
  const [element, number] = row.children;
  setText(/** @type {Element} */ (element.lastElementChild), name);
  setText(number, text);
  const [from, to] = value === null ? [zero, zero] : [zero, at(value)].sort((a, b) => a - b);
  setProperty(row, "--from", from);
  setProperty(row, "--to", to);
  setData(row, "sign", value !== null && value < 0 ? "minus" : undefined);
  setData(row, "over", track && reachesOver(emsOf(name) * size, to * track) ? "" : undefined);
  setData(row, "former", former === null ? undefined : "");
  if (former !== null) setProperty(row, "--former", at(former));
}

/** Add an empty row. @param {Element} list @returns {HTMLElement} */
function makeRow(list) {
  const row = addElement("li", "", list);
  const track = addElement("div", "track", row);
  addElement("i", "bar", track).ariaHidden = "true";
  addElement("i", "former", track).ariaHidden = "true";
  addElement("bdi", "name words", track);
  addElement("bdi", "number ink", row);
  return row;
}
