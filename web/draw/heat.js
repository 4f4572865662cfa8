/** A number by the hours of days, as a grid of flat steps of one hue. Pure. */

import { emsOf } from "./numeral.js";
import { wallClock } from "../text/zone.js";

/** @typedef {import("./points.js").Point} Point */

const [HOUR, DAY] = [3600, 86_400];
export const STEPS = 5;
/** In u: the size of texts, the height of the hours below, the space beside names and between cells. */
const TEXT = 2.2;
const BELOW = 3;
const SPACE = 1.2;
const CELL = { least: 1.6, most: 4.6, gap: 0.2 };
/** The height of a name, in u. Lower rows have every other name. */
const LINE = 2.3;
/** The least number of hours that are shown, and the room of an hour's name, in u. */
const HOURS = 8;
const NAME = 4.5;

/**
 * @typedef {object} Row  of hours
 * @property {string} name
 * @property {(number|null|undefined)[]} cells  null: not known; undefined: still to come
 */

/**
 * The hours of the newest days, from points over time.
 * @param {Point[]} points  ascending
 * @param {number} days
 * @param {number} now  in seconds
 * @param {import("../text/language.js").Place} place  whose clocks count
 * @param {(time: number) => string} name  of a day
 * @returns {Row[]}
 */
export function hoursOf(points, days, now, place, name) {
  const today = Math.floor(wallClock(now, place) / DAY);
  const sums = Array.from({ length: days }, () => Array.from({ length: 24 }, () => ({ sum: 0, time: 0 })));
  points.forEach(([time, , mean], i) => {
    const end = Math.min(points[i + 1]?.[0] ?? now, now);
    if (Number.isNaN(mean)) return;
    for (let at = time; at < end; ) {
      const shown = wallClock(at, place);
      const next = Math.min(end, at + HOUR - (shown % HOUR));
      const cell = sums[Math.floor(shown / DAY) - today + days - 1]?.[Math.floor((shown % DAY) / HOUR)];
      if (cell) {
        cell.sum += mean * (next - at);
        cell.time += next - at;
      }
      at = next;
    }
  });
  const hour = Math.floor((wallClock(now, place) % DAY) / HOUR);
  return sums.map((row, i) => ({
    name: name(now - (days - 1 - i) * DAY),
    cells: row.map(({ sum, time }, j) => (i === days - 1 && j > hour ? undefined : time ? sum / time : null)),
  }));
}

/**
 * The step of a number: 0 for zero, STEPS for the highest number.
 * @param {number} value
 * @param {number} most  above 0
 */
export function stepOf(value, most) {
  return Math.max(0, Math.min(STEPS, Math.ceil((STEPS * value) / most)));
}

/**
 * Draw rows of hours.
 * @param {object} heat
 * @param {number} heat.width  in pixels
 * @param {number} heat.height
 * @param {number} heat.unit  how many pixels u has
 * @param {Row[]} heat.rows  at least one; if not all have room, the last ones are shown
 * @param {number} [heat.current]  the present hour, in the last row
 * @returns {{shapes: import("./chart.js").Shape[], labels: import("./chart.js").Label[], most: number, more: number}}  more: the rows that had no room
 */
export function drawHeat({ width, height, unit, rows: all, current }) {
  const room = height - BELOW * unit;
  const rows = all.slice(-Math.max(1, Math.floor(room / (CELL.least * unit))));
  const [begin, end] = crop(rows);
  const most = Math.max(0, ...rows.flatMap(({ cells }) => cells.map((value) => value ?? 0)));
  const left = (Math.max(...rows.map(({ name }) => emsOf(name))) * TEXT + SPACE) * unit;
  const across = (width - left) / (end - begin);
  const down = Math.min(CELL.most * unit, room / rows.length);
  /** @type {Map<string, string>} */
  const paths = new Map();
  const add = (/** @type {string} */ className, /** @type {string} */ d) => paths.set(className, (paths.get(className) ?? "") + d);
  const box = (x, y, w, h) => `M${round(x)} ${round(y)}h${round(w)}v${round(h)}h${round(-w)}Z`;
  const gap = CELL.gap * unit;
  rows.forEach(({ cells }, i) => {
    for (let hour = begin; hour < end; hour++) {
      const value = cells[hour];
      const [x, y] = [left + (hour - begin) * across, i * down];
      if (value === undefined) continue;
      if (value === null) add("unknown", `M${round(x + gap)} ${round(y + down / 2)}H${round(x + across - gap)}`);
      else add(`heat-${most > 0 ? stepOf(value, most) : 0}`, box(x, y, across - gap, down - gap));
    }
  });
  if (current !== undefined && current >= begin && current < end) add("heat-now", box(left + (current - begin) * across, (rows.length - 1) * down, across - gap, down - gap));
  /** @type {import("./chart.js").Label[]} */
  const labels = rows.flatMap(({ name }, i) => (down < LINE * unit && (rows.length - 1 - i) % 2 ? [] : [{ className: i === rows.length - 1 && current !== undefined ? "edge" : "", text: name, align: "start", x: 0, y: (i + 0.5) * down, room: left }]));
  const every = [1, 2, 3, 4, 6, 12].find((step) => step * across >= NAME * unit) ?? 12;
  for (let hour = begin; hour < end; hour++) {
    if (hour % every) continue;
    const x = left + (hour - begin) * across;
    if (x + (NAME / 2) * unit <= width) labels.push({ className: "", text: String(hour), align: "middle", x: x + across / 2, y: rows.length * down + 1.4 * unit, room: NAME * unit });
  }
  return { shapes: [...paths].map(([className, d]) => ({ tag: /** @type {const} */ ("path"), className, attributes: { d } })), labels, most, more: all.length - rows.length };
}

/**
 * The range of hours with a known number other than zero, but at least `HOURS` of them; all hours without such a number.
 * @param {Row[]} rows
 * @returns {[number, number]}
 */
function crop(rows) {
  const count = Math.max(...rows.map(({ cells }) => cells.length));
  const full = Array.from({ length: count }, (_, hour) => rows.some(({ cells }) => Boolean(cells[hour])));
  if (!full.includes(true)) return [0, count];
  let [begin, end] = [full.indexOf(true), full.lastIndexOf(true) + 1];
  while (end - begin < Math.min(HOURS, count)) {
    if (end < count) end++;
    else begin--;
  }
  return [begin, end];
}

function round(value) {
  return Math.round(value * 10) / 10;
}
