/**
 * A score: charts below each other that share one axis of time. Lines for round times, events and now run through all of them.
 * Pure.
 */

import { AXIS } from "./chart.js";
import { emsOf } from "./numeral.js";
import { placeFlags } from "./labels.js";

/** The measures of every tile of a score, in u: its column with the figure, and the gutters for numbers and for names. */
export const SCORE = { side: 21, space: 2.4, left: 8, right: 11 };
/**
 * A score lower than `WORDS` has flags without words. Tiles smaller than `LEAST` are no score, but single tiles. In u.
 */
const WORDS = 60;
const LEAST = { width: 60, height: 13 };
/** In u: how far flags reach above the first plot, the place of their words, and the size and the space of a word. */
const OVER = 4;
const WORD = { y: -2.8, size: 2.2, space: 0.8 };
/** In u: the place of the times below the first plot, and half of their greatest width. No line runs through a text. */
const TIMES = { top: 0.5, bottom: 3.4, width: 3.4 };
/** How far the words of the newest flags may reach to the right of the plot, in u. */
const BEYOND = 10;

/**
 * @typedef {{x: number, y: number, width: number, height: number}} Box  in u
 *
 * @typedef {object} Flag  an event
 * @property {number} time  in seconds
 * @property {string} text
 */

/**
 * Whether tiles can be a score: each has room for its column and its plot, and they stand below each other.
 * @param {Box[]} boxes  in their order
 * @returns {boolean}
 */
export function isScore(boxes) {
  const below = boxes.every(({ x, y, width }, i) => !i || (x === boxes[0].x && width === boxes[0].width && y > boxes[i - 1].y));
  return boxes.length > 1 && below && boxes.every(({ width, height }) => width >= LEAST.width && height >= LEAST.height);
}

/**
 * The box of the plots of a score, from the top of the first one to the bottom of the last.
 * @param {Box[]} boxes  of its tiles
 * @param {number} label  the height of a tile's label, in u
 * @returns {Box & {axis: number}}  `axis`: the height of the first plot, in u
 */
export function plotsOf(boxes, label) {
  const [first] = boxes;
  const last = boxes[boxes.length - 1];
  const left = SCORE.side + SCORE.space + SCORE.left;
  const top = first.y + label;
  return { x: first.x + left, y: top, width: first.width - left - SCORE.right, height: last.y + last.height - top, axis: first.height - label - AXIS };
}

/**
 * Draw the lines that run through a score, with their texts.
 * @param {object} score
 * @param {number} score.width  of the plots, in pixels
 * @param {number} score.height  from the top of the first plot to the bottom of the last, in pixels
 * @param {number} score.unit  how many pixels u has
 * @param {number} score.from  in seconds
 * @param {number} score.to
 * @param {number} score.axis  how high the first plot is, in pixels: the times are written below it
 * @param {number[]} score.times  round times
 * @param {Flag[]} score.flags  in the order of time
 * @returns {{shapes: import("./chart.js").Shape[], labels: import("./chart.js").Label[]}}
 */
export function drawScore({ width, height, unit, from, to, axis, times, flags }) {
  const x = (/** @type {number} */ time) => ((time - from) / (to - from)) * width;
  const sharp = (/** @type {number} */ place) => Math.round(place - 0.5) + 0.5;
  const texts = [...times.map(x), width];
  const upright = (/** @type {number} */ place, top = 0) => {
    const breaks = texts.some((text) => Math.abs(text - place) < TIMES.width * unit);
    const gap = breaks ? `V${Math.round(axis + TIMES.top * unit)}M${sharp(place)} ${Math.round(axis + TIMES.bottom * unit)}` : "";
    return `M${sharp(place)} ${Math.round(top)}${gap}V${Math.round(height)}`;
  };
  const shown = flags.filter(({ time }) => time > from && time <= to);
  const path = (className, d) => ({ tag: /** @type {const} */ ("path"), className, attributes: { d } });
  return {
    shapes: [
      path("hair", times.filter((time) => time > from && time < to).map((time) => upright(x(time))).join("")),
      path("rule", upright(width)),
      path("flag", shown.map(({ time }) => upright(x(time), -OVER * unit)).join("")),
    ],
    labels: height >= WORDS * unit ? words(shown, { x, width, unit }) : [],
  };
}

/** The words of the flags that have room. @param {Flag[]} flags @returns {import("./chart.js").Label[]} */
function words(flags, { x, width, unit }) {
  const sized = flags.map(({ time, text }) => ({ x: x(time), width: emsOf(text) * WORD.size * unit }));
  const sides = placeFlags(sized, { left: 0, right: width + BEYOND * unit, gap: WORD.space * unit });
  return flags.flatMap(({ text }, i) => {
    if (!sides[i]) return [];
    const isRight = sides[i] === "right";
    const place = sized[i].x + (isRight ? 1 : -1) * WORD.space * unit;
    return [{ className: "flagged", text, align: /** @type {"start"|"end"} */ (isRight ? "start" : "end"), x: place, y: WORD.y * unit, room: sized[i].width + 2 * unit }];
  });
}

/** The most characters of an event's word. */
const LONGEST = 28;

/**
 * The word of an event: a text, or the first members of an object.
 * @param {unknown} value
 * @param {(value: unknown) => string} write  writes a text or a number
 * @returns {string}
 */
export function wordOfEvent(value, write) {
  const parts = value !== null && typeof value === "object" ? Object.values(value).filter((part) => ["string", "number"].includes(typeof part)).slice(0, 2) : [value];
  const text = parts.map(write).join(" ").trim();
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}
