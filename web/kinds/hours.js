/**
 * A number by the hours of seven days, or rows of numbers by hours, as a grid: the higher the number, the stronger the colour.
 */

import { drawHeat, hoursOf } from "../draw/heat.js";
import { addElement } from "../page/dom.js";
import { Plot } from "../page/plot.js";
import { dateFormat } from "../text/language.js";
import { misfit } from "../text/misfit.js";
import { text } from "../text/plain.js";
import { inline } from "../text/values.js";
import { say } from "../text/words.js";
import { wallClock } from "../text/zone.js";

/** @typedef {import("./kind.js").Stream} Stream @typedef {import("./kind.js").Picture} Picture @typedef {import("./kind.js").Spec} Spec */

/** How many days are shown. */
const DAYS = 7;
const [HOUR, DAY] = [3600, 86_400];

class HoursBody {
  element = addElement("div", "body");
  aside = "";

  #plot = new Plot(true);
  #box = { width: 30, height: 15, spare: 0, unit: 10 };
  /** Whether all rows have room. */
  whole = true;
  #key = "";

  constructor() {
    this.element.append(this.#plot.element);
  }

  /** @param {import("./kind.js").Box} box */
  fit(box) {
    this.#box = box;
    this.#key = "";
  }

  /** @param {Stream[]} streams  one @throws {TypeError}  if its value is no number and no rows of numbers */
  update([{ value, seq }]) {
    if (seq && value !== null && typeof value !== "number" && !isRows(value)) throw misfit("hours", "a number with its past, or rows of a name and numbers", value);
  }

  /** @param {Stream[]} streams  one @param {Picture} picture */
  draw([stream], picture) {
    const { width, height, spare, unit } = this.#box;
    const isPast = !isRows(stream.value);
    const { points } = isPast && stream.seq ? picture.history.past.newest(stream, DAYS * DAY) : { points: [] };
    const hour = Math.floor((wallClock(picture.now, picture) % DAY) / HOUR);
    const key = JSON.stringify([this.#box, stream.at, points.length, points[0]?.[0], hour, Math.floor(picture.now / 60)]);
    if (key === this.#key) return;
    this.#key = key;
    const day = dateFormat(picture, { weekday: "short" });
    const rows = isPast
      ? hoursOf(points, DAYS, picture.now, picture, (time) => day.format(time * 1000))
      : stream.value.map(([name, ...cells]) => ({ name: text(name, picture), cells }));
    if (!rows.length) return this.#plot.show({ shapes: [], labels: [] });
    const drawIn = (/** @type {number} */ room) => drawHeat({ width: width * unit, height: room * unit, unit, rows, current: isPast ? hour : undefined });
    const large = drawIn(height + spare);
    this.whole = !large.more;
    const drawn = this.whole ? large : drawIn(height);
    this.#plot.show(drawn);
    const write = (/** @type {number} */ value) => inline(value, stream.description, picture);
    this.aside = drawn.most > 0 ? say("range", picture, { low: write(0), high: write(Math.round(drawn.most)) }) : "";
    this.#plot.spoken = this.aside;
  }
}

/** Whether a value is rows of a name and numbers. @param {any} value */
function isRows(value) {
  return Array.isArray(value) && value.every((row) => Array.isArray(row) && row.slice(1).every((cell) => cell === null || typeof cell === "number"));
}

/** @type {import("./kind.js").Kind} */
export const hours = {
  name: "hours",
  suits: () => false, // a number is a value, unless somebody asks for its hours
  size: "l",
  least: { width: 28, height: 13 },
  Body: HoursBody,
};
