/** The body of a kind that is a table: it keeps its rows, and arranges them anew when its room changes. */

import { addElement } from "../page/dom.js";
import { say } from "../text/words.js";
import { Table } from "./table.js";

/** @typedef {import("../kinds/kind.js").Stream} Stream @typedef {import("../kinds/kind.js").Picture} Picture */

export class RowsBody {
  element = addElement("div", "body");
  /** A text about the columns that have no room. */
  aside = "";

  #table = new Table();
  #room = { width: 40, height: 20, full: 20, spare: 0 };
  /** The latest arguments of `show`. @type {Parameters<RowsBody["show"]>|null} */
  #latest = null;

  constructor() {
    this.element.append(this.#table.element);
  }

  get whole() {
    return this.#table.whole;
  }

  /** Set the room for the rows. @param {import("../kinds/kind.js").Box} box */
  fit({ width, height, full, spare }) {
    this.#room = { width, height, full, spare };
    if (this.#latest) this.show(...this.#latest);
  }

  /**
   * Draw the rows for which there is room.
   * @param {import("./table.js").TableColumn[]} columns  at least one
   * @param {import("./table.js").TableRow[]} rows
   * @param {import("../text/language.js").Place} place
   * @param {number} total  how many rows there are, if not all are given; 0: the others are not counted
   */
  show(columns, rows, place, total) {
    this.#latest = [columns, rows, place, total];
    this.#table.show(columns, rows, this.#room, total);
    const { hidden } = this.#table;
    this.aside = hidden.columns ? say("moreColumns", place, { count: hidden.columns }) : "";
  }

  /**
   * A part about the rows that have no room.
   * @param {Stream[]} _streams
   * @param {Picture} picture
   * @returns {import("../kinds/kind.js").Part[]}
   */
  evidence(_streams, picture) {
    const { rows } = this.#table.hidden;
    return rows ? [{ text: say("more", picture, { count: rows }), always: true }] : [];
  }
}
