/** Rows: what is ranked, a table, an object's members, or a stream's last updates. */

import { clock, text } from "./format.js";
import { make, write } from "./write.js";

/** More than fits any tile. */
const ROWS = 24;
const CELLS = 6;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

export class List {
  element = make("div", "body");
  number = false;
  width = { numeral: 0, unit: 0 };

  #table;
  /** @type {HTMLElement[][]} */
  #cells = [];
  /** @type {unknown} */
  #made = null;
  /** @type {import("./tile.js").Spec} */
  #spec = { names: [] };

  constructor() {
    this.#table = make("table", "", make("div", "list", this.element));
  }

  /** @param {import("./streamd.js").Stream[]} streams @param {import("./tile.js").Picture} picture @param {import("./tile.js").Spec} spec */
  update([stream], { now, histories }, spec) {
    this.#spec = spec;
    // Whoever wants a list of what is no list wants what it was, too.
    const last = (spec.show ?? stream.description.show) === "list" && !Array.isArray(stream.value);
    // Times of day are written anew on another day.
    const made = `${stream.at} ${last ? histories.last(stream).length : ""} ${new Date(now * 1000).toDateString()}`;
    if (made === this.#made) return;
    this.#made = made;
    const { head, rows } = last ? updates(histories.last(stream), now) : table(stream.value);
    this.#fill([...(head.length ? [head] : []), ...rows].slice(0, ROWS), head.length > 0, now);
  }

  fit() {}

  /** The last updates may have been read meanwhile. @param {import("./streamd.js").Stream[]} streams @param {import("./tile.js").Picture} picture */
  draw(streams, picture) {
    this.update(streams, picture, this.#spec);
  }

  #fill(rows, headed, now) {
    const texts = rows.map((row) => row.slice(0, CELLS).map((cell) => written(cell, now)));
    const widest = wide(texts);
    const numeric = texts[0]?.map((_, j) => rows.every((row, i) => (headed && !i) || typeof (row[j] ?? 0) === "number"));
    while (this.#cells.length > rows.length) this.#cells.pop()?.[0].parentElement?.remove();
    texts.forEach((row, i) => {
      if (this.#cells[i]?.length !== row.length) {
        this.#cells[i]?.[0].parentElement?.remove();
        const line = make("tr", "");
        this.#table.insertBefore(line, this.#table.children[i] ?? null);
        this.#cells[i] = row.map(() => make("td", "", line));
      }
      row.forEach((cell, j) => {
        const element = this.#cells[i][j];
        const names = [headed && i === 0 ? "head" : "", numeric[j] ? "number" : "", j === widest ? "wide" : ""];
        const name = names.filter(Boolean).join(" ");
        if (element.className !== name) element.className = name;
        write(element, cell);
      });
    });
  }
}

/** A cell; a date with its time, as databases give it, is a time of day. */
function written(cell, now) {
  return typeof cell === "string" && ISO.test(cell) ? clock(Date.parse(cell) / 1000, now) : text(cell);
}

/** The column with the longest text: it takes what the others leave. */
function wide(texts) {
  let [longest, widest] = [0, 0];
  for (const row of texts) {
    row.forEach((cell, j) => {
      if (cell.length > longest) [longest, widest] = [cell.length, j];
    });
  }
  return widest;
}

/**
 * A value as rows.
 * @param {any} value
 * @returns {{head: string[], rows: any[][]}}
 */
export function table(value) {
  if (!Array.isArray(value)) return { head: [], rows: isObject(value) ? Object.entries(value) : [[value ?? null]] };
  const objects = value.filter(isObject).slice(0, ROWS);
  if (!value.length || objects.length < Math.min(value.length, ROWS)) {
    return { head: [], rows: value.slice(0, ROWS).map((row) => (Array.isArray(row) && row.length ? row : [row])) };
  }
  const head = [...new Set(objects.flatMap(Object.keys))].slice(0, CELLS);
  return { head: head.length > 1 ? head : [], rows: objects.map((row) => (head.length ? head.map((key) => row[key] ?? null) : [row])) };
}

/** The last updates, newest first. */
function updates(last, now) {
  const values = last.map(({ value }) => value);
  const { head, rows } = values.every(isObject) && values.length ? table(values) : { head: [], rows: values.map((value) => [value]) };
  return { head: head.length ? ["time", ...head] : [], rows: rows.map((row, i) => [clock(last[i].time, now), ...row]) };
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
