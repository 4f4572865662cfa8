/**
 * States over time, one row for each stream, as shapes and labels. Pure.
 *
 *     Checkout ━━━━━━━━▄▄▄▄━━━━━━━━━━━         a line works, half a block was a warning Payments ━━━━━━━━━━━███━━━━━━▄▄▄  ▲ 12
 * min Mail     ━━━━╌╌╌━━━━━━━━━━━━━━━━         dashes: the state was unknown
 */

import { RANKS } from "../text/ranks.js";
import { AXIS, besideEdge } from "./chart.js";
import { emsOf } from "./numeral.js";

/** In u: the height of a row at least and at most, of a working line, of the space beside texts, and of a text. */
const ROW = { least: 2.3, most: 6 };
const LINE = 0.24;
const SPACE = 1.4;
const TEXT = { least: 2.2, most: 2.6 };
/** The heights of a warning's and of a critical block, as shares of the row. */
const SHARES = { warn: 0.42, critical: 0.86 };
/** The least width of a block, in u, so that a bad second in eight hours is still seen. */
const NARROWEST = 0.4;

/**
 * @typedef {import("../client/spans.js").Span} Span
 * @typedef {import("./chart.js").Shape} Shape
 * @typedef {import("./chart.js").Label} Label
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {Span[]} spans  ascending
 * @property {number} until  up to when the newest span is known to last, in seconds
 * @property {import("../text/ranks.js").Rank} rank  the present rank
 * @property {string} text  at the right of the row: "▲ 12 min"
 *
 * @typedef {object} Band
 * @property {number} width  of all, in pixels
 * @property {number} height
 * @property {number} unit  how many pixels u has
 * @property {number} left  the gutter for names, in u
 * @property {number} [names]  how wide a name may be, in u, if it may reach over the left edge
 * @property {number} right  the gutter for texts, in u
 * @property {number} from  the time at the left edge, in seconds
 * @property {number} to
 * @property {Row[]} rows  at least one
 * @property {(count: number, worse: boolean) => string} rest  the words for rows that have no room
 * @property {{time: number, text: string}[]} [times]  round times
 * @property {boolean} [hairs]  whether round times and now have vertical lines
 * @property {string} [edge]  what is written below the right edge
 */

/**
 * Draw a band. Rows keep their order. Where not all have room, those stay that are worst.
 * @param {Band} band
 * @returns {{shapes: Shape[], labels: Label[]}}
 */
export function drawBand({ width, height, unit, left, right, names = left - SPACE, from, to, rows, rest, times = [], hairs = false, edge = "" }) {
  const below = edge ? AXIS * unit : 0;
  const count = Math.max(1, Math.floor((height - below) / (ROW.least * unit)));
  const shown = rows.length <= count ? rows : worst(rows, count - 1);
  const pitch = Math.min(ROW.most * unit, (height - below) / (shown.length + (shown.length < rows.length ? 1 : 0)));
  const [begin, end] = [left * unit, width - right * unit];
  const x = (/** @type {number} */ time) => begin + Math.min(1, Math.max(0, (time - from) / (to - from))) * (end - begin);
  const paths = new Paths();
  /** @type {Label[]} */
  const labels = [];
  const size = Math.min(TEXT.most, Math.max(TEXT.least, (0.8 * pitch) / unit)) * unit;
  const lowest = Math.min(height - below, rows.length * pitch);
  if (hairs) {
    const upright = (/** @type {number} */ place) => `M${Math.round(place - 0.5) + 0.5} 0V${Math.round(lowest)}`;
    for (const { time } of times) paths.add("hair", upright(x(time)));
    paths.add("rule", upright(end));
  }
  shown.forEach((row, i) => {
    const middle = (i + 0.5) * pitch;
    const filled = row.rank === "critical";
    if (filled) paths.add("filled", box(begin - Math.min(names * unit, emsOf(row.name) * size) - 2 * SPACE * unit, i * pitch, width, pitch));
    drawRow(row, { x, middle, pitch, unit, to, paths });
    const look = [row.rank === "ok" ? "" : row.rank, filled ? "on" : ""].filter(Boolean);
    labels.push({ className: ["name", ...look].join(" "), text: row.name, align: "end", x: begin - SPACE * unit, y: middle, room: names * unit });
    if (row.text) labels.push({ className: look.join(" "), text: row.text, align: "start", x: end + SPACE * unit, y: middle, room: right * unit });
  });
  if (shown.length < rows.length) {
    const others = rows.filter((row) => !shown.includes(row));
    const text = rest(others.length, others.some(({ rank }) => rank !== "ok"));
    labels.push({ className: "", text, align: "start", x: begin, y: (shown.length + 0.5) * pitch, room: end - begin });
  }
  const bottom = lowest + 0.55 * AXIS * unit;
  for (const { time, text } of edge ? times : []) {
    if (end - x(time) > besideEdge(edge, text) * unit) labels.push({ className: "", text, align: "middle", x: x(time), y: bottom, room: 9 * unit });
  }
  if (edge) labels.push({ className: "edge", text: edge, align: "middle", x: end, y: bottom, room: 9 * unit });
  return { shapes: paths.shapes(), labels };
}

/** The worst rows, in the order of all rows. @param {Row[]} rows @param {number} count @returns {Row[]} */
function worst(rows, count) {
  const sorted = RANKS.flatMap((rank) => rows.filter((row) => row.rank === rank)).slice(0, count);
  return rows.filter((row) => sorted.includes(row));
}

/**
 * Add the shapes of one row to the paths.
 * @param {Row} row
 * @param {{x: (time: number) => number, middle: number, pitch: number, unit: number, to: number, paths: Paths}} place
 */
function drawRow({ spans, until, rank }, { x, middle, pitch, unit, to, paths }) {
  const on = rank === "critical" ? " on" : "";
  /** The latest box of each mark. */
  const latest = { ok: { left: NaN, right: NaN, now: false }, warn: { left: NaN, right: NaN, now: false }, critical: { left: NaN, right: NaN, now: false } };
  for (let i = 0; i < spans.length; i++) {
    const [begin, end, mark] = spans[i];
    const [a, b] = [x(begin), x(Math.min(end, until))];
    const former = spans[i - 1]?.[1] ?? begin;
    if (former < begin) paths.add(`unknown${on}`, `M${x(former)} ${middle}H${a}`); // between two spans nothing was known
    if (b <= x(-Infinity)) continue; // it was before the window
    if (mark === "unknown") {
      paths.add(`unknown${on}`, `M${a} ${middle}H${x(Math.min(end, to))}`);
      continue;
    }
    const [left, right] = [tenth(mark === "ok" ? a : Math.min(a, b - NARROWEST * unit)), tenth(b)];
    const now = mark !== "ok" && end >= to && until >= to && rank === mark;
    // A state that changes all the time has hundreds of spans in one pixel.
    const drawn = latest[mark];
    if (drawn.left === left && drawn.right === right && drawn.now === now) continue;
    Object.assign(drawn, { left, right, now });
    if (mark === "ok") paths.add(`works${on}`, box(left, middle - (LINE / 2) * unit, right, LINE * unit));
    else {
      const tall = SHARES[mark] * pitch;
      paths.add(`block ${mark}${now ? "" : " ember"}${on}`, box(left, middle - tall / 2, right, tall));
    }
  }
  const last = spans[spans.length - 1];
  if (last && last[1] > until && last[2] !== "unknown" && until < to) paths.add(`unknown${on}`, `M${x(until)} ${middle}H${x(to)}`);
}

/** A rectangle as a path. */
function box(left, top, right, height) {
  return `M${tenth(left)} ${tenth(top)}H${tenth(right)}v${tenth(height)}H${tenth(left)}Z`;
}

/** A place or a length with a tenth of a pixel. @param {number} value */
function tenth(value) {
  return Math.round(value * 10) / 10;
}

/** Paths by class: all shapes of a class are one path. Later classes are drawn above earlier ones. */
class Paths {
  #paths = new Map(["hair", "rule", "filled"].map((className) => [className, ""]));

  /** @param {string} className @param {string} d */
  add(className, d) {
    this.#paths.set(className, (this.#paths.get(className) ?? "") + d);
  }

  /** The paths, as shapes. @returns {Shape[]} */
  shapes() {
    return [...this.#paths].filter(([, d]) => d).map(([className, d]) => ({ tag: /** @type {const} */ ("path"), className, attributes: { d } }));
  }
}
