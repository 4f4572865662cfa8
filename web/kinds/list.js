/** Rows: an array's elements, an object's members, or a stream's latest updates. */

import { RowsBody } from "../parts/rows.js";
import { clock } from "../text/format.js";
import { cell, decimalsOf, isMoving } from "../text/values.js";
import { say } from "../text/words.js";
import { wallClock } from "../text/zone.js";
import { chart } from "./chart.js";
import { image } from "./image.js";

/** The most rows and columns of any list. No tile has room for more. */
const ROWS = 60;
const COLUMNS = 12;
const DAY = 86_400;
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

class ListBody extends RowsBody {
  /** The update, the history and the day from which the rows were made: the same ones would make the same rows. */
  #made = "";

  /** @param {import("./kind.js").Stream[]} streams @param {import("./kind.js").Picture} picture @param {import("./kind.js").Spec} spec */
  update([stream], picture, spec) {
    const { now, history } = picture;
    // Somebody who asks for a list of single values wants to see the latest ones.
    const isLog = (spec.show ?? stream.description.show) === list.name && !Array.isArray(stream.value);
    const latest = isLog ? history.latest(stream) : [];
    // The day belongs to it: a time of day gets its date at midnight.
    const day = isMoving(stream.description) ? now : Math.floor(wallClock(now, picture) / DAY);
    const made = `${stream.at} ${latest.length} ${day}`;
    if (made === this.#made) return;
    const table = isLog ? logTable(latest, picture) : orEmpty(tableOf(stream.exact ?? stream.value), picture);
    this.#fill(table, (value, decimals) => cell(value, { decimals, ...stream.description }, picture), picture);
    this.#made = made;
  }

  /**
   * Make the rows again: the history may have been read meanwhile.
   * @param {import("./kind.js").Stream[]} streams @param {import("./kind.js").Picture} picture @param {import("./kind.js").Spec} spec
   */
  draw(streams, picture, spec) {
    this.update(streams, picture, spec);
  }

  /**
   * Show a table, each column with the decimals that its numbers need.
   * @param {{head: string[], rows: any[][]}} table
   * @param {(value: any, decimals?: number) => string} write
   */
  #fill({ head, rows: all }, write, picture) {
    const rows = all.slice(0, ROWS);
    const count = Math.min(COLUMNS, Math.max(1, ...rows.map((row) => row.length)));
    const columns = Array.from({ length: count }, (_, j) => {
      const numeric = rows.every((row) => isNumber(row[j] ?? 0));
      return { decimals: numeric ? decimalsOf(rows.map((row) => row[j])) : undefined, title: head[j] ?? "", show: /** @type {"number"|"text"} */ (numeric ? "number" : "text"), align: /** @type {"left"|"right"} */ (numeric ? "right" : "left") };
    });
    const written = rows.map((row) => ({ cells: columns.map(({ decimals }, j) => ({ text: j < row.length ? write(row[j], decimals) : "" })) }));
    this.show(columns, written, picture, all.length);
  }
}

/** @type {import("./kind.js").Kind} */
export const list = {
  name: "list",
  suits: (value) => typeof value === "object" && value !== null && !chart.suits(value) && !image.suits(value),
  size: "l",
  least: { width: 24, height: 18 },
  Body: ListBody,
};

/**
 * The table, or one with a text if it has no cells: a blank tile would look broken.
 * @param {{head: string[], rows: any[][]}} table
 */
function orEmpty(table, picture) {
  return table.rows.some((row) => row.length) ? table : { head: [], rows: [[say("empty", picture)]] };
}

function isNumber(value) {
  return typeof value === "number" || typeof value === "bigint";
}

/** Whether a value is a time with an offset, as databases write it in rows. @param {unknown} value */
export function isIsoTime(value) {
  return typeof value === "string" && ISO_TIME.test(value);
}

/**
 * A value as rows of cells; a cell is any JSON value.
 * @param {any} value
 * @returns {{head: string[], rows: any[][]}}  head: the columns' names, empty if they have none
 */
export function tableOf(value) {
  if (!Array.isArray(value)) return { head: [], rows: isObject(value) ? Object.entries(value) : [[value ?? null]] };
  const objects = value.filter(isObject);
  if (!value.length || objects.length < value.length) {
    return { head: [], rows: value.map((row) => (Array.isArray(row) && row.length ? row : [row])) };
  }
  const head = [...new Set(objects.flatMap(Object.keys))].slice(0, COLUMNS);
  if (!head.length) return { head, rows: objects.map((row) => [row]) };
  // Object.hasOwn: every object inherits a "constructor" and a "toString", which are no data.
  return { head: head.length > 1 ? head : [], rows: objects.map((row) => head.map((key) => (Object.hasOwn(row, key) ? row[key] : null))) };
}

/** The latest updates as rows, newest first: the time, then the value or its members. */
function logTable(latest, picture) {
  const values = latest.map(({ value, exact = value }) => exact);
  const { head, rows } = values.every(isObject) && values.length ? tableOf(values) : { head: [], rows: values.map((value) => [value]) };
  return { head: head.length ? [say("columnTime", picture), ...head] : [], rows: rows.map((row, i) => [clock(latest[i].time, picture.now, picture), ...row]) };
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
