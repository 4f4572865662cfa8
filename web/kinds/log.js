/** The latest updates of a stream, the newest at the top: the time, and the value as a text by a configured template. */

import { RowsBody } from "../parts/rows.js";
import { text } from "../text/plain.js";
import { clock } from "../text/times.js";
import { cell } from "../text/values.js";

/** @typedef {import("./kind.js").Stream} Stream @typedef {import("./kind.js").Picture} Picture @typedef {import("./kind.js").Spec} Spec */

/** A member in the template of a line, as in "{user} has paid". */
const PLACE = /\{([^{}]{1,128})\}/g;
/** @type {import("../parts/table.js").TableColumn[]} */
const COLUMNS = [{ title: "", show: "time", align: "left" }, { title: "", show: "text", align: "left" }];

class LogBody extends RowsBody {
  #made = "";

  /** @param {Stream[]} streams  one @param {Picture} picture @param {Spec} spec */
  update([stream], picture, spec) {
    const latest = stream.seq ? picture.history.latest(stream) : [];
    // A time of day gets its date at midnight.
    const made = [stream.at, latest.length, latest[0]?.time, clock(picture.now - 86_400, picture.now, picture)].join();
    if (made === this.#made) return;
    this.#made = made;
    const rows = latest.map(({ time, value, exact = value }) => ({
      cells: [{ text: clock(time, picture.now, picture), look: /** @type {const} */ ("quiet") }, { text: entry(exact, spec.text, stream.description, picture) }],
    }));
    this.show(COLUMNS, rows, picture, 0);
  }

  /**
   * Make the rows again: the history may have been read meanwhile.
   * @param {Stream[]} streams
   * @param {Picture} picture
   * @param {Spec} spec
   */
  draw(streams, picture, spec) {
    this.update(streams, picture, spec);
  }
}

/**
 * The text of one update.
 * @param {any} value
 * @param {string|undefined} template  with members in braces; undefined: the value, or its members
 * @param {Record<string, any>} description
 * @param {import("../text/values.js").Now} place
 */
export function entry(value, template, description, place) {
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  const write = (/** @type {any} */ part) => cell(part, isObject ? {} : description, place);
  if (template && isObject) return template.replace(PLACE, (_, key) => write(Object.hasOwn(value, key) ? value[key] : null));
  if (template) return template.replace(PLACE, () => write(value));
  return isObject ? Object.values(value).map(write).join(" · ") : Array.isArray(value) ? text(value, place) : write(value);
}

/** @type {import("./kind.js").Kind} */
export const log = {
  name: "log",
  suits: () => false, // a value is shown by itself, unless somebody asks for the latest ones
  size: "l",
  least: { width: 24, height: 13 },
  Body: LogBody,
};
