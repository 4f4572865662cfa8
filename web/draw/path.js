/**
 * The paths of lines, areas and ranges, as SVG writes them. Pure: places come from two functions.
 *
 * A line is stepped: a value holds until the next one. A gap is never bridged.
 *
 * @typedef {import("./points.js").Point} Point
 *
 * @typedef {object} Frame  maps points to places in the picture
 * @property {(time: number) => number} x  in pixels
 * @property {(value: number) => number} y  in pixels, from above
 * @property {number} until  up to when the last point is known to hold, in seconds
 */

import { isGap } from "./points.js";

/** A coordinate with a tenth of a pixel. */
const at = (place) => String(Math.round(place * 10) / 10);

/** The stretches without a gap, each with its end in seconds. @param {Point[]} points @param {number} until */
function runs(points, until) {
  /** @type {{points: Point[], end: number}[]} */
  const found = [];
  let open = false;
  for (const point of points) {
    if (isGap(point)) {
      if (open) found[found.length - 1].end = point[0];
      open = false;
    } else if (open) found[found.length - 1].points.push(point);
    else {
      found.push({ points: [point], end: Math.max(until, point[0]) });
      open = true;
    }
  }
  const last = found[found.length - 1];
  if (open) last.end = Math.max(until, last.points[last.points.length - 1][0]);
  return found;
}

/** The path of one stretch: a step at the middle number of each point. */
function steps({ points, end }, { x, y }, value) {
  let path = "";
  let height = at(y(value(points[0])));
  for (const point of points.slice(1)) {
    const next = at(y(value(point)));
    if (next === height) continue;
    path += `H${at(x(point[0]))}V${next}`;
    height = next;
  }
  return `${path}H${at(x(end))}`;
}

const middle = (/** @type {Point} */ point) => point[2];

/** The line through the middles of all points. @param {Point[]} points @param {Frame} frame @returns {string} */
export function linePath(points, frame) {
  const { x, y, until } = frame;
  return runs(points, until).map((run) => `M${at(x(run.points[0][0]))} ${at(y(middle(run.points[0])))}${steps(run, frame, middle)}`).join("");
}

/** The area between the line and a height. @param {Point[]} points @param {Frame} frame @param {number} base  in pixels @returns {string} */
export function areaPath(points, frame, base) {
  const { x, y, until } = frame;
  return runs(points, until).map((run) => {
    const [left, first] = [at(x(run.points[0][0])), at(y(middle(run.points[0])))];
    return `M${left} ${at(base)}V${first}${steps(run, frame, middle)}V${at(base)}Z`;
  }).join("");
}

/** The ranges of the slots that have more than one number. @param {Point[]} points @param {Frame} frame @returns {string} */
export function rangePath(points, { x, y, until }) {
  return runs(points, until).map((run) => run.points.map((point, i) => {
    const [time, low, , high] = point;
    if (low === high) return "";
    const right = run.points[i + 1]?.[0] ?? run.end;
    return `M${at(x(time))} ${at(y(high))}H${at(x(right))}V${at(y(low))}H${at(x(time))}Z`;
  }).join("")).join("");
}

/**
 * The area between two lines, where both are known.
 * @param {Point[]} lower
 * @param {Point[]} upper
 * @param {Frame} frame
 * @returns {string}
 */
export function betweenPath(lower, upper, frame) {
  const times = [...new Set([...lower, ...upper].map(([time]) => time))].sort((a, b) => a - b);
  let [i, j] = [-1, -1];
  /** @type {Point[]} */
  const pairs = times.map((time) => {
    while (lower[i + 1]?.[0] <= time) i++;
    while (upper[j + 1]?.[0] <= time) j++;
    const [low, high] = [lower[i]?.[2] ?? NaN, upper[j]?.[2] ?? NaN];
    return Number.isNaN(low + high) ? [time, NaN, NaN, NaN, NaN] : [time, low, high, high, high];
  });
  return runs(pairs, frame.until).map((run) => {
    const { points, end } = run;
    const top = `M${at(frame.x(points[0][0]))} ${at(frame.y(points[0][2]))}${steps(run, frame, (point) => point[2])}`;
    let back = "";
    points.slice().reverse().forEach((point, k) => {
      const right = k ? points[points.length - k][0] : end;
      back += `L${at(frame.x(right))} ${at(frame.y(point[1]))}H${at(frame.x(point[0]))}`;
    });
    return `${top}${back}Z`;
  }).join("");
}

/** A value that is back within a limit for less than this share of the picture does not end the present area beyond it. */
const BRIEF = 0.01;

/**
 * The areas between a limit and the line beyond it: those that last until now, and those that are over.
 * @param {Point[]} points
 * @param {Frame} frame
 * @param {import("./scale.js").Limit} limit
 * @param {boolean} current  whether the last point is known to hold now; otherwise all is over
 * @returns {{now: string, over: string}}
 */
export function beyondPaths(points, frame, { value, above }, current) {
  const cut = points.map((point) => ((above ? point[2] > value : point[2] < value) ? point : /** @type {Point} */ ([point[0], NaN, NaN, NaN, NaN])));
  const begin = current ? beginOf(cut, frame.until) : cut.length;
  const until = cut[begin]?.[0] ?? frame.until;
  const base = frame.y(value);
  return { now: areaPath(cut.slice(begin), frame, base), over: areaPath(cut.slice(0, begin), { ...frame, until }, base) };
}

/**
 * The index of the point at which the present area beyond the limit begins; the number of points if there is none.
 * @param {Point[]} cut  gaps: not beyond the limit
 */
function beginOf(cut, until) {
  if (!cut.length || isGap(cut[cut.length - 1])) return cut.length;
  const brief = BRIEF * (until - cut[0][0]);
  let begin = cut.length - 1;
  for (let i = begin; i >= 0; i--) {
    if (!isGap(cut[i])) begin = i;
    else if (cut[begin][0] - cut[i][0] > brief) break;
  }
  return begin;
}
