/** A table that shows whole rows and whole columns only, and the number of rows and columns without room. */

import { fitColumns, fitRows, GAP, wholeRoom } from "../draw/columns.js";
import { emsOf } from "../draw/numeral.js";
import { addElement, setData, setProperty, setText } from "../page/dom.js";

/**
 * In u: the greatest and the least size of a row's text; the height of the heads, or of the space above a table without heads;
 * and the height of a row.
 */
const SIZE = { most: 2.9, least: 2.7 };
const HEAD = 3.2;
const TOP = 0.4;
const ROW = { least: 3.6, most: 5.6 };
/** While a band or a notice takes room, rows come this near to each other, so that none must be left out. */
const NEARER = { ...ROW, least: 3.3 };
/** Heights that differ by less than this, in u, differ by rounding only. */
const CLOSE = 0.1;
/** The size of heads, as a share of the size of rows. */
const SMALL = 2.2 / SIZE.least;
/** The width of a bar, the least width of a bar and of a text, and the least width of a state, which says more; in em. */
const BAR = { width: 4, least: 2.5 };
const LEAST = { text: 5, state: 8 };
/** Tabular figures are for numbers and times: they part a word at its hyphen. */
const LETTER = /\p{L}/u;
/** Widths are computed, not measured: a computed width times this is enough for bold characters, too. */
const MARGIN = 1.08;

/**
 * @typedef {"text"|"number"|"bar"|"time"|"state"} Show
 *
 * @typedef {object} TableColumn
 * @property {string} title  empty: it has no head
 * @property {Show} show
 * @property {"left"|"right"} align
 *
 * @typedef {object} Cell
 * @property {string} text  of a bar: for a screen reader
 * @property {number|null} [share]  of a bar, 0 to 1; null: not known
 * @property {"bold"|"quiet"|"flagged"|"warn"|"critical"|""} [look]
 *
 * @typedef {object} TableRow
 * @property {Cell[]} cells
 * @property {"gone"|"now"|""} [look]  gone: it is over; now: the last one that is over, with a line below
 */

export class Table {
  element = addElement("div", "rows");

  #table = addElement("table", "", this.element);
  #columns = addElement("colgroup", "", this.#table);
  #head = addElement("tr", "", addElement("thead", "", this.#table));
  #body = addElement("tbody", "ink", this.#table);
  /** How many columns and how many rows have no room. */
  hidden = { columns: 0, rows: 0 };
  /** Whether no row is left out if the table takes its spare room. */
  whole = false;

  /**
   * Show a table in a room.
   * @param {TableColumn[]} columns  at least one
   * @param {TableRow[]} rows
   * @param {{width: number, height: number, full?: number, spare?: number}} room  in u; it takes the spare height if all rows have room then
   * @param {number} [total]  how many rows there are, if not all are given; 0: the others are not counted
   */
  show(columns, rows, { width, height, full = height, spare = 0 }, total = rows.length) {
    const headed = columns.some(({ title }) => title);
    const sizes = columns.map((column, j) => sizeOf(column, rows, j));
    const size = wholeRoom(sizes) * SIZE.most > width ? SIZE.least : SIZE.most;
    const widths = fitColumns(sizes, width / size);
    const below = height - (headed ? HEAD : TOP);
    const row = height < full - CLOSE ? NEARER : ROW;
    const large = fitRows(rows.length, below + spare, row);
    this.whole = total <= large.shown;
    const { shown, height: pitch } = this.whole ? large : fitRows(rows.length, below, row);
    this.hidden = { columns: columns.length - widths.length, rows: Math.max(0, total - shown) };
    setProperty(this.element, "--pitch", pitch);
    setProperty(this.element, "--size", size);
    this.#size(widths, size);
    this.#fill(this.#head, headed ? columns.slice(0, widths.length).map(({ title, align, show }) => ({ text: title, column: { align, show } })) : [], "th");
    setData(this.element, "headed", headed ? "yes" : "no");
    const lines = /** @type {HTMLElement[]} */ ([...this.#body.children]);
    for (const line of lines.splice(shown)) line.remove();
    rows.slice(0, shown).forEach(({ cells, look }, i) => {
      const line = lines[i] ?? addElement("tr", "", this.#body);
      setData(line, "look", look || undefined);
      this.#fill(line, cells.slice(0, widths.length).map((cell, j) => ({ ...cell, column: columns[j] })), "td");
    });
  }

  /** Set the widths of the columns. @param {number[]} widths  in em @param {number} size  of em */
  #size(widths, size) {
    while (this.#columns.children.length > widths.length) this.#columns.lastElementChild?.remove();
    widths.forEach((width, j) => {
      const column = /** @type {HTMLElement} */ (this.#columns.children[j] ?? addElement("col", "", this.#columns));
      setProperty(column, "width", `calc(${((width + (j < widths.length - 1 ? GAP : 0)) * size).toFixed(2)} * var(--u))`);
    });
  }

  /**
   * Write the cells of a line.
   * @param {HTMLElement} line
   * @param {(Cell & {column: {show: Show, align: string}})[]} cells
   * @param {"th"|"td"} tag
   */
  #fill(line, cells, tag) {
    while (line.children.length > cells.length) line.lastElementChild?.remove();
    cells.forEach(({ text, share, look = "", column: { show, align } }, j) => {
      const element = /** @type {HTMLElement} */ (line.children[j] ?? addElement(tag, "", line));
      setData(element, "show", show);
      setData(element, "align", align === "right" ? "right" : undefined);
      setData(element, "look", look || undefined);
      setData(element, "words", LETTER.test(text) ? "" : undefined);
      if (show === "bar" && tag === "td") this.#bar(element, share ?? null, text);
      else setText(element.querySelector("bdi") ?? (element.replaceChildren(), addElement("bdi", "", element)), text);
    });
  }

  /**
   * Draw a share as a bar in a cell; null: it is unknown.
   * @param {HTMLElement} element
   * @param {number|null} share
   * @param {string} text
   */
  #bar(element, share, text) {
    const bar = /** @type {HTMLElement} */ (element.querySelector(".part") ?? (element.replaceChildren(), addElement("span", "part", element)));
    bar.role = "img";
    if (bar.ariaLabel !== text) bar.ariaLabel = text;
    setData(bar, "known", share === null ? "no" : "yes");
    setProperty(bar, "--share", share ?? 0);
  }
}

/**
 * The sizes that the j-th column wants.
 * @param {TableColumn} column
 * @param {TableRow[]} rows
 * @param {number} j
 * @returns {import("../draw/columns.js").ColumnSize}
 */
function sizeOf({ title, show, align }, rows, j) {
  const head = MARGIN * emsOf(title) * SMALL;
  if (show === "bar") return { width: Math.max(BAR.width, head), least: Math.max(BAR.least, head) };
  const width = Math.max(head, ...rows.map(({ cells }) => MARGIN * emsOf(cells[j]?.text ?? "")));
  const text = show === "text" || show === "state";
  return { width, least: text ? LEAST[show] : width, right: align === "right", text };
}
