/** Lines on a canvas, with now at the right edge. Cheap enough to draw once a second. */

import { placeLabels } from "../draw/labels.js";
import { traceSteps } from "../draw/line.js";
import { timeScale, valueRange, valueScale } from "../draw/scale.js";

/** The share of the canvas's height above and below the lines. */
const MARGIN = 0.08;
/** A line's width, as a share of the font's size: 0.35 units beside labels of 2.8. */
const WIDTH = 0.35 / 2.8;
/** The width of a label's character and the space beside a label, as shares of the font's size. */
const CHARACTER = 0.58;
const SPACE = 0.8;

/**
 * Draw the lines and the limits.
 * @param {HTMLCanvasElement} canvas  its computed style gives the font and the colours: `color` for the first line, `--text`
 *   and `--muted` in turns for the others, `--warn` and `--critical` for limits
 * @param {import("../draw/line.js").Line[]} lines
 * @param {{from: number, to: number, limits?: import("../draw/scale.js").Limit[]}} window  the times at the edges, in seconds
 */
export function drawLines(canvas, lines, { from, to, limits = [] }) {
  const pen = clear(canvas);
  const { clientWidth, clientHeight: height } = canvas;
  const range = valueRange(lines, limits);
  if (!(range.low < Infinity && to > from)) return; // nothing to show
  const style = getComputedStyle(canvas);
  const size = parseFloat(style.fontSize);
  const width = WIDTH * size;
  const longest = Math.max(...lines.map(({ name = "" }) => name.length));
  const edge = clientWidth - (longest ? (CHARACTER * longest + SPACE) * size : 2 * width); // by counting: measuring costs more
  const x = timeScale(from, to, edge);
  const y = valueScale(range, height, MARGIN * height + width);
  const colours = lines.map((_, i) => (i ? style.getPropertyValue(i % 2 ? "--text" : "--muted") : style.color));
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`; // style.font is empty with tabular figures
  pen.lineJoin = "round";
  for (const limit of limits) {
    if (limit.value >= range.bottom && limit.value <= range.top) drawLimit(pen, limit, y(limit.value), edge, width, style);
  }
  const ends = lines.map((line, i) => drawLine(pen, line, x, y, width, to, colours[i]));
  const places = placeLabels(ends.map((end, i) => (end && lines[i].name ? end.y : null)), size, height);
  pen.textBaseline = "middle";
  places.forEach((place, i) => {
    if (place === null) return;
    pen.fillStyle = colours[i];
    pen.fillText(lines[i].name ?? "", edge + 3 * width, place);
  });
}

/** @param {HTMLCanvasElement} canvas @returns {CanvasRenderingContext2D}  empty, with a unit of one CSS pixel */
function clear(canvas) {
  const { clientWidth, clientHeight } = canvas;
  const scale = window.devicePixelRatio;
  const [width, height] = [Math.round(clientWidth * scale), Math.round(clientHeight * scale)];
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, clientWidth, clientHeight);
  return pen;
}

/** A dotted line with its text above, or below where there is no room. */
function drawLimit(pen, { level, text }, height, edge, width, style) {
  pen.strokeStyle = pen.fillStyle = style.getPropertyValue(`--${level}`);
  pen.lineWidth = width / 2;
  pen.setLineDash([width / 2, 2 * width]);
  pen.beginPath();
  pen.moveTo(0, height);
  pen.lineTo(edge, height);
  pen.stroke();
  pen.setLineDash([]);
  const above = height > 1.5 * parseFloat(style.fontSize);
  pen.textBaseline = above ? "bottom" : "top";
  pen.fillText(text, 0, above ? height - width : height + width);
}

/** A line, with a dot at its end if that is known to be right now. */
function drawLine(pen, line, x, y, width, now, colour) {
  pen.strokeStyle = pen.fillStyle = colour;
  pen.lineWidth = width;
  pen.beginPath();
  const end = traceSteps(pen, line, x, y);
  pen.stroke();
  if (end && line.until >= now) {
    pen.beginPath();
    pen.arc(end.x, end.y, 1.4 * width, 0, 2 * Math.PI);
    pen.fill();
  }
  return end;
}
