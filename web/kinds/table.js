/** Objects as rows, in columns that the configuration names and shapes. */

import { stateOf } from "../client/health.js";
import { RowsBody } from "../parts/rows.js";
import { misfit } from "../text/misfit.js";
import { spanOf } from "../text/moments.js";
import { text } from "../text/plain.js";
import { cell, decimalsOf } from "../text/values.js";
import { say } from "../text/words.js";
import { isIsoTime, tableOf } from "./list.js";

/** @typedef {import("./kind.js").Stream} Stream @typedef {import("./kind.js").Picture} Picture @typedef {import("./kind.js").Spec} Spec */
/** @typedef {import("../parts/table.js").TableColumn & {key: string, unit?: string, of?: number, format?: string}} Column  of the configuration, or derived */

/** The most rows of any table. No tile has room for more. */
const ROWS = 60;
/** A time of day, as people write it in timetables. */
const OF_DAY = /^\d?\d:\d\d(:\d\d)?$/;
/** A state that begins with the sign of a level has its colour. */
const SIGNS = { "▲": /** @type {const} */ ("warn"), "■": /** @type {const} */ ("critical") };

class TableBody extends RowsBody {
  #empty = false;
  /** The rows with a level that are not over. @type {import("./kind.js").Need[]} */
  #needs = [];

  get whole() {
    return super.whole && !this.#empty;
  }

  /** @param {Stream[]} streams  one @param {Picture} picture @param {Spec} spec @throws {TypeError}  if its value is no rows */
  update([stream], picture, spec) {
    const value = stream.exact ?? stream.value;
    if (stream.seq && value !== null && !Array.isArray(value)) throw misfit("table", "rows of objects", value);
    const { keys, rows } = rowsOf(Array.isArray(value) ? value : []);
    this.#empty = Boolean(stream.seq) && !rows.length;
    const columns = (spec.columns ?? keys.map((key) => ({ key }))).map((column) => completed(column, rows));
    const gone = goneRows(rows, spec.now, picture);
    const made = rows.map((row, i) => ({
      cells: columns.map((column, j) => cellOf(row, column, j, columns, spec.flag ?? {}, picture)),
      look: /** @type {""|"gone"|"now"} */ (i < gone ? (i === gone - 1 ? "now" : "gone") : ""),
    }));
    this.#needs = made.slice(gone).flatMap(needsOf);
    this.show(columns.length ? columns : [{ title: "", show: "text", align: "left" }], made, picture, value?.length ?? 0);
  }

  /** Draw the rows again: a timetable moves with time. @param {Stream[]} streams @param {Picture} picture @param {Spec} spec */
  draw(streams, picture, spec) {
    if (spec.now) this.update(streams, picture, spec);
  }

  /** @param {Stream[]} streams @param {Picture} picture @returns {import("./kind.js").Part[]} */
  evidence(streams, picture) {
    return this.#empty ? [{ text: say("empty", picture) }] : super.evidence(streams, picture);
  }

  /** The header names rows, too: those without room in the table above all. @param {Stream[]} streams @param {Picture} picture */
  needs([stream], picture) {
    return stateOf(stream, picture) === "current" ? this.#needs : [];
  }
}

/** Rows as objects. A row that is an array gets the places of its members as keys. */
function rowsOf(value) {
  const { head, rows } = tableOf(value.slice(0, ROWS));
  const keys = head.length ? head : (rows[0] ?? []).map((_, j) => String(j));
  return { keys, rows: head.length ? value.slice(0, ROWS) : rows.map((row) => Object.fromEntries(row.map((each, j) => [String(j), each]))) };
}

/**
 * A column with the title, the look and the side that its configuration leaves out.
 * @param {any} column  as configured
 * @param {any[]} rows
 * @returns {Column}
 */
function completed(column, rows) {
  const cells = rows.map((row) => valueAt(row, column.key)).filter((each) => each !== null);
  const numeric = cells.length > 0 && cells.every((each) => typeof each === "number" || typeof each === "bigint");
  const show = column.show ?? (numeric ? "number" : cells.length && cells.every((each) => isIsoTime(each) || OF_DAY.test(String(each))) ? "time" : "text");
  const unit = column.unit ? ` ${column.unit}` : "";
  return { decimals: show === "number" && !column.format ? decimalsOf(cells) : undefined, ...column, title: (column.title ?? (/^\d+$/.test(column.key) ? "" : column.key)) + unit, show, align: column.align ?? (show === "number" ? "right" : "left") };
}

/**
 * A member of a row; null if it has none.
 * @param {any} row
 * @param {string} key  Object.hasOwn: every object inherits a "constructor", which is no data
 */
function valueAt(row, key) {
  return row !== null && typeof row === "object" && Object.hasOwn(row, key) ? row[key] : null;
}

/** The cell of a row in the j-th column. @returns {import("../parts/table.js").Cell} */
function cellOf(row, column, j, columns, flag, picture) {
  const value = valueAt(row, column.key);
  if (column.show === "bar") return { text: text(value, picture), share: typeof value === "number" ? Math.min(1, Math.max(0, value / (column.of ?? 100))) : null };
  const { format, currency, decimals } = column;
  const words = column.show === "time" && !format ? cell(value, { format: "time" }, picture) : cell(value, { format, currency, decimals }, picture);
  const level = column.show === "state" ? SIGNS[words[0]] : undefined;
  if (Object.hasOwn(flag, column.key) && flag[column.key] === value) return { text: words, look: "flagged" };
  if (level) return { text: words, look: level };
  const thing = columns.findIndex(({ show }) => show === "text");
  const quiet = column.show === "state" || (column.show === "time" && j === 0) || (column.show === "text" && j !== thing);
  return { text: words, look: j === thing ? "bold" : quiet ? "quiet" : "" };
}

/**
 * What needs attention in a row: its thing, or its first cell, with the words of its state.
 * @param {{cells: import("../parts/table.js").Cell[]}} row
 * @returns {import("./kind.js").Need[]}
 */
function needsOf({ cells }) {
  const name = (cells.find(({ look }) => look === "bold") ?? cells[0]).text;
  return cells.flatMap(({ text, look }) => (look === "warn" || look === "critical" ? [{ name, text: text.slice(1).trim(), level: look }] : []));
}

/** How many rows of a timetable are over: all up to the last one whose time has come. */
function goneRows(rows, key, picture) {
  if (!key) return 0;
  const times = rows.map((row) => spanOf({ by: valueAt(row, key) }, picture)?.by ?? NaN);
  return times.reduce((last, time, i) => (time <= picture.now ? i + 1 : last), 0);
}

/** @type {import("./kind.js").Kind} */
export const table = {
  name: "table",
  suits: () => false, // rows are a list, unless somebody names columns
  size: "wide",
  least: { width: 30, height: 18 },
  Body: TableBody,
};
