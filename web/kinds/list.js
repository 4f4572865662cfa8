/** Rows: a ranked list, a table, an object's members, or a stream's latest updates. */

import { addElement, setText } from "../page/dom.js";
import { clock, text } from "../text/format.js";

/** The most rows and columns of any list. No tile has room for more. */
const ROWS = 24;
const COLUMNS = 6;
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

class ListBody {
  element = addElement("div", "body");

  #table = addElement("table", "ink", addElement("div", "list", this.element));
  /** @type {HTMLElement[][]} */
  #cells = [];
  /** The update, the history and the day that the rows were made from. The same ones make the same rows. */
  #made = "";

  /** @param {import("./kind.js").Stream[]} streams @param {import("./kind.js").Picture} picture @param {import("./kind.js").Spec} spec */
  update([stream], { now, history }, spec) {
    // Somebody who asks for a list of single values wants to see the latest ones.
    const isLog = (spec.show ?? stream.description.show) === list.name && !Array.isArray(stream.value);
    const latest = isLog ? history.latest(stream) : [];
    // The day belongs to it: a time of day gets its date at midnight.
    const made = `${stream.at} ${latest.length} ${new Date(now * 1000).toDateString()}`;
    if (made === this.#made) return;
    this.#fill(isLog ? logTable(latest, now) : orEmpty(tableOf(stream.value)), now);
    this.#made = made;
  }

  /**
   * The history may have been read meanwhile.
   * @param {import("./kind.js").Stream[]} streams @param {import("./kind.js").Picture} picture @param {import("./kind.js").Spec} spec
   */
  draw(streams, picture, spec) {
    this.update(streams, picture, spec);
  }

  #fill({ head, rows: body }, now) {
    const rows = [...(head.length ? [head] : []), ...body].slice(0, ROWS);
    const texts = rows.map((row) => row.slice(0, COLUMNS).map((cell) => cellText(cell, now)));
    const widest = widestColumn(texts);
    const numeric = texts[0]?.map((_, j) => rows.every((row, i) => (head.length && !i) || typeof (row[j] ?? 0) === "number"));
    while (this.#cells.length > rows.length) this.#cells.pop()?.[0].parentElement?.remove();
    texts.forEach((row, i) => {
      this.#row(i, row.length);
      row.forEach((cell, j) => {
        const element = this.#cells[i][j];
        const names = [head.length && i === 0 ? "head" : "", numeric[j] ? "number" : "", j === widest ? "wide" : ""];
        const name = names.filter(Boolean).join(" ");
        if (element.className !== name) element.className = name;
        setText(element, cell);
      });
    });
  }

  /** Make sure that row `i` has so many cells. */
  #row(i, length) {
    if (this.#cells[i]?.length === length) return;
    this.#cells[i]?.[0].parentElement?.remove();
    const line = addElement("tr", "");
    this.#table.insertBefore(line, this.#table.children[i] ?? null);
    this.#cells[i] = Array.from({ length }, () => addElement("td", "", line));
  }
}

/** @type {import("./kind.js").Kind} */
export const list = {
  name: "list",
  suits: (value) => typeof value === "object" && value !== null,
  weight: 2,
  Body: ListBody,
};

/** A table without a cell says so: a blank tile would look broken. @param {{head: string[], rows: any[][]}} table */
function orEmpty(table) {
  return table.rows.some((row) => row.length) ? table : { head: [], rows: [["empty"]] };
}

/** A cell's text. A date with a time, as databases write it, becomes a time of day. */
function cellText(cell, now) {
  return typeof cell === "string" && ISO_TIME.test(cell) ? clock(Date.parse(cell) / 1000, now) : text(cell);
}

/** The column with the longest text. It gets the width that the others leave. */
function widestColumn(texts) {
  let [longest, widest] = [0, 0];
  for (const row of texts) {
    row.forEach((cell, j) => {
      if (cell.length > longest) [longest, widest] = [cell.length, j];
    });
  }
  return widest;
}

/**
 * A value as rows of cells, each any JSON value.
 * @param {any} value
 * @returns {{head: string[], rows: any[][]}}  head: the columns' names, empty if they have none
 */
export function tableOf(value) {
  if (!Array.isArray(value)) return { head: [], rows: isObject(value) ? Object.entries(value) : [[value ?? null]] };
  const objects = value.filter(isObject).slice(0, ROWS);
  if (!value.length || objects.length < Math.min(value.length, ROWS)) {
    return { head: [], rows: value.slice(0, ROWS).map((row) => (Array.isArray(row) && row.length ? row : [row])) };
  }
  const head = [...new Set(objects.flatMap(Object.keys))].slice(0, COLUMNS);
  if (!head.length) return { head, rows: objects.map((row) => [row]) };
  // Object.hasOwn: every object inherits a "constructor" and a "toString", which are no data.
  return { head: head.length > 1 ? head : [], rows: objects.map((row) => head.map((key) => (Object.hasOwn(row, key) ? row[key] : null))) };
}

/** The latest updates as rows, newest first: the time, then the value or its members. */
function logTable(latest, now) {
  const values = latest.map(({ value }) => value);
  const { head, rows } = values.every(isObject) && values.length ? tableOf(values) : { head: [], rows: values.map((value) => [value]) };
  return { head: head.length ? ["time", ...head] : [], rows: rows.map((row, i) => [clock(latest[i].time, now), ...row]) };
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
