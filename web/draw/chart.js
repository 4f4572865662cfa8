/**
 * A chart as shapes and labels: a scale in the left gutter, names in the right one, and lines between them. Pure.
 *
 *     80 ┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┊
 *   ▲ 60 ·········╱╲·····╱───●  web-1      now is the right edge of the plot
 *     40 ┈┈┈┈┈┈┈┈╱┈┈╲┈┈┈╱┈┈┈┈┊
 *      0 ───────╱────╲─╱─────┊  last Friday
 *           08:00   10:00   now
 */

import { keptMarks, placeLabels } from "./labels.js";
import { emsOf } from "./numeral.js";
import { areaPath, betweenPath, beyondPaths, linePath, rangePath } from "./path.js";
import { isGap } from "./points.js";
import { heightOn } from "./scale.js";

/**
 * @typedef {import("./points.js").Point} Point
 *
 * @typedef {object} Line
 * @property {Point[]} points  within the window, ascending
 * @property {number} until  up to when its last point is known to hold, in seconds
 * @property {boolean} current  whether its value is current: then it ends with a dot
 * @property {boolean} [dashed]  whether dashes lead from `until` to the edge; default: if it is not current
 * @property {string} [name]  written in the right gutter
 * @property {"warn"|"critical"|""} [level]  of its newest value
 * @property {boolean} [thin]
 * @property {import("./scale.js").Limit[]} [limits]
 *
 * @typedef {object} Chart
 * @property {number} width  of all, in pixels
 * @property {number} height
 * @property {number} unit  how many pixels u has
 * @property {number} left  the gutter for numbers, in u; 0: the chart has no labels beside and below
 * @property {number} right  the gutter for names, in u
 * @property {number} from  the time at the left edge of the plot, in seconds
 * @property {number} to  the time at its right edge
 * @property {Line[]} lines
 * @property {import("./scale.js").Scale} scale
 * @property {boolean} [area]  whether the first line has a tint below
 * @property {[number, number]} [between]  the lines, by index, between which the area is tinted
 * @property {{points: Point[], name: string}|null} [ghost]  the past with which the first line is compared
 * @property {boolean} [axis]  whether times are written below
 * @property {boolean} [hairs]  whether round times and now have vertical lines
 * @property {{time: number, text: string}[]} [times]  round times
 * @property {string} [edge]  the text below the right edge
 * @property {(value: number) => string} [number]  writes a number of the scale
 * @property {(limit: import("./scale.js").Limit) => string} [limit]  writes a limit
 *
 * @typedef {object} Shape
 * @property {"path"|"circle"} tag
 * @property {string} className
 * @property {Record<string, string|number>} attributes
 *
 * @typedef {object} Label
 * @property {string} className
 * @property {string} text
 * @property {"start"|"middle"|"end"} align
 * @property {number} x  in pixels, of the side or the middle that `align` names
 * @property {number} y  of its middle, in pixels
 * @property {number} room  its greatest width, in pixels
 *
 * @typedef {{x: number, y: number, width: number, height: number}} Plot  in pixels
 */

/** Sizes in u: the height of a label, the space beside labels, the room below for times, and the room above for half a label. */
const LABEL = 2.5;
const SPACE = 1;
export const AXIS = 3.4;
const TOP = 1.2;
/** How far a number may reach out of the left gutter, in u. A name stays in the tile: it would end at the texts of the next one. */
const OVER = 2.4;
/** The size of a time, and the space between two, in u. */
const TIME = 2.2;
const APART = 1.4;
/** How far a name may reach below the plot if times are written there, in u. */
const ABOVE_TIMES = 0.6;
/** The radius of the dot at the end of a thick line, of a thin line, and in a chart without labels, in u. */
const DOT = { thick: 0.7, thin: 0.5, bare: 0.65 };

/**
 * Where the lines are in a chart.
 * @param {Chart} chart
 * @returns {Plot}
 */
export function plotOf({ width, height, unit, left, right, axis }) {
  const top = left ? TOP * unit : (DOT.bare + 0.2) * unit;
  const bottom = height - (axis ? AXIS * unit : left ? TOP * unit : 0.3 * unit);
  return { x: left * unit, y: top, width: Math.max(1, width - (left + right) * unit), height: Math.max(1, bottom - top) };
}

/**
 * Draw a chart.
 * @param {Chart} chart
 * @returns {{shapes: Shape[], labels: Label[]}}  the first shape is the lowest
 */
export function drawChart(chart) {
  const plot = plotOf(chart);
  const heights = heightOn(chart.scale);
  const places = {
    plot,
    x: (/** @type {number} */ time) => plot.x + Math.min(1, Math.max(0, (time - chart.from) / (chart.to - chart.from))) * plot.width,
    y: (/** @type {number} */ value) => plot.y + (1 - heights(value)) * plot.height,
  };
  const limits = limitLabels(chart, places);
  const marks = marksOf(chart, limits, places);
  const shapes = [
    ...areas(chart, places), ...hairs(chart, marks, places), ...strokes(chart, places), ...limitLines(chart, places), ...ends(chart, places),
  ];
  const labels = chart.left ? [...limits, ...numbers(chart, marks, places), ...times(chart, places)] : [];
  const names = nameLabels(chart, places);
  return { shapes: [...shapes, ...names.shapes].filter(({ attributes }) => attributes.d !== ""), labels: [...labels, ...names.labels] };
}

/** @typedef {{plot: Plot, x: (time: number) => number, y: (value: number) => number}} Places */

/** @returns {Shape} */
function path(className, d) {
  return { tag: "path", className, attributes: { d } };
}

/** A place on the grid of half pixels, where a thin line is sharp. */
const sharp = (/** @type {number} */ place) => Math.round(place - 0.5) + 0.5;
const flat = (plot, y) => `M${sharp(plot.x)} ${sharp(y)}H${sharp(plot.x + plot.width)}`;
const upright = (plot, x) => `M${sharp(x)} ${sharp(plot.y)}V${sharp(plot.y + plot.height)}`;

/**
 * The lines for numbers of the scale, for round times and for now.
 * @param {Chart} chart
 * @param {number[]} marks
 * @param {Places} places
 * @returns {Shape[]}
 */
function hairs({ left, hairs: wanted, times: round = [], from, to }, marks, { plot, x, y }) {
  if (!left) return [];
  const within = round.filter(({ time }) => time >= from && time <= to);
  return [
    path("hair", marks.map((tick) => flat(plot, y(tick))).join("")),
    ...(wanted ? [path("hair", within.map(({ time }) => upright(plot, x(time))).join("")), path("rule", upright(plot, plot.x + plot.width))] : []),
  ];
}

/**
 * The filled areas: the tint, the ranges of slots, and the areas beyond a limit.
 * @param {Chart} chart
 * @param {Places} places
 * @returns {Shape[]}
 */
function areas({ lines, area, between, scale }, { plot, x, y }) {
  const [first] = lines;
  const frame = (/** @type {Line} */ { until }) => ({ x, y, until });
  const zero = y(Math.max(scale.bottom, Math.min(scale.top, 0)));
  const isKnown = (/** @type {number[]} */ ...places) => places.every((i) => lines[i]?.current); // an area is data at full strength
  const [low, high] = between ?? [0, 0];
  return [
    path("area", area && isKnown(0) ? areaPath(first.points, frame(first), scale.log ? plot.y + plot.height : zero) : ""),
    path("range", between && isKnown(low, high) ? betweenPath(lines[low].points, lines[high].points, frame(lines[low])) : ""),
    // The ranges of several lines would cover each other.
    path("range", lines.length === 1 && isKnown(0) ? rangePath(first.points, frame(first)) : ""),
    ...lines.flatMap((line) => (line.limits ?? []).flatMap((limit) => {
      const { now, over } = beyondPaths(line.points, frame(line), limit, line.current);
      return [path(`over ${limit.level} ember`, over), path(`over ${limit.level}`, now)];
    })),
  ];
}

/** The lines themselves, up to their newest numbers. @param {Chart} chart @param {Places} places @returns {Shape[]} */
function strokes({ lines, ghost, to, between }, { x, y }) {
  return [
    path("stroke ghost", ghost ? linePath(ghost.points, { x, y, until: to }) : ""),
    ...lines.map((line, i) => {
      const { points, until, thin, current } = line;
      if (current && i === between?.[1] && i < lines.length - 1) return path("stroke", ""); // it is where the tint ends
      return path(`stroke${thin ? " thin" : ""}${current ? "" : " quiet"}`, linePath(points, { x, y, until }) + jump(line, y));
    }),
  ];
}

/** From the mean of the newest slot to the newest number. @param {Line} line */
function jump({ points, current }, y) {
  const last = points[points.length - 1];
  return current && last && !isGap(last) && last[2] !== last[4] ? `V${Math.round(10 * y(last[4])) / 10}` : "";
}

/**
 * The limits within the scale, without repetitions.
 * @param {{lines: {limits?: import("./scale.js").Limit[]}[], scale: import("./scale.js").Scale}} chart
 * @returns {import("./scale.js").Limit[]}
 */
export function shownLimits({ lines, scale }) {
  const found = new Map();
  for (const limit of lines.flatMap(({ limits = [] }) => limits)) {
    if (limit.value >= scale.bottom && limit.value <= scale.top) found.set(`${limit.level} ${limit.value}`, limit);
  }
  return [...found.values()];
}

/** A line across the plot for each limit. @param {Chart} chart @param {Places} places @returns {Shape[]} */
function limitLines(chart, { plot, y }) {
  return shownLimits(chart).map(({ level, value }) => path(`limit ${level}`, flat(plot, y(value))));
}

/**
 * The end of each line: a dot if its value is current, otherwise dashes.
 * @param {Chart} chart
 * @param {Places} places
 * @returns {Shape[]}
 */
function ends({ lines, unit, left, to }, { plot, x, y }) {
  const edge = plot.x + plot.width;
  return lines.flatMap(({ points, until, current, dashed = !current, thin }) => {
    const last = points[points.length - 1];
    if (!last) return [];
    if (current && !isGap(last)) {
      const radius = !left ? DOT.bare : thin ? DOT.thin : DOT.thick;
      return [dot(edge, y(last[4]), radius * unit)];
    }
    const known = points.findLast((point) => !isGap(point));
    const begin = isGap(last) ? last[0] : Math.max(until, last[0]);
    return dashed && known && begin < to ? [path("unknown", `M${x(begin)} ${y(known[4])}H${edge}`)] : [];
  });
}

/** A dot at a point. @returns {Shape} */
function dot(cx, cy, r) {
  return { tag: "circle", className: "dot", attributes: { cx, cy, r } };
}

/** The limits in the left gutter, moved apart. @param {Chart} chart @param {Places} places @returns {Label[]} */
function limitLabels(chart, { plot, y }) {
  const { unit, limit: write = ({ value }) => String(value) } = chart;
  const limits = shownLimits(chart);
  const spots = placeLabels(limits.map(({ value }) => y(value)), LABEL * unit, plot.y + plot.height + TOP * unit);
  return limits.map((limit, i) => numberLabel(chart, plot, `tick ${limit.level}`, write(limit), Number(spots[i])));
}

/** The values that have a line and a number: those that no limit and no other number covers. @param {Chart} chart @param {Label[]} limits @param {Places} places */
function marksOf({ scale, unit }, limits, { y }) {
  const kept = keptMarks(scale.ticks.map(y), limits.map((label) => label.y), LABEL * unit);
  /** @type {number[]} */
  const marks = [];
  scale.ticks.forEach((mark, i) => {
    const lower = marks[marks.length - 1];
    if (kept[i] && (lower === undefined || y(lower) - y(mark) >= LABEL * unit)) marks.push(mark);
  });
  return marks;
}

/** The numbers of the scale. @param {Chart} chart @param {number[]} marks @param {Places} places @returns {Label[]} */
function numbers(chart, marks, { plot, y }) {
  const { number = String } = chart;
  return marks.map((mark) => numberLabel(chart, plot, "tick", number(mark), y(mark)));
}

/** A number at the left of the plot. @returns {Label} */
function numberLabel({ unit, left }, plot, className, text, y) {
  return { className, text, align: "end", x: plot.x - SPACE * unit, y, room: (left - SPACE + OVER) * unit };
}

/**
 * The least distance of another time from the text below the right edge, between their middles, in u.
 * @param {string} edge @param {string} text @returns {number}
 */
export function besideEdge(edge, text) {
  return ((emsOf(edge) + emsOf(text)) / 2) * TIME + APART;
}

/** The times below the plot. @param {Chart} chart @param {Places} places @returns {Label[]} */
function times({ axis, times: round = [], edge = "", unit, to, from, width }, { plot, x }) {
  if (!axis) return [];
  const right = plot.x + plot.width;
  const y = plot.y + plot.height + (AXIS - LABEL / 2 - 0.2) * unit;
  const last = Math.min(right, width - (emsOf(edge) / 2) * TIME * unit);
  const shown = round.filter(({ time, text }) => time >= from && time <= to && last - x(time) > besideEdge(edge, text) * unit && x(time) > (emsOf(text) / 2) * TIME * unit);
  const label = (className, text, place) => /** @type {Label} */ ({ className, text, align: "middle", x: place, y, room: 12 * unit });
  return [
    ...shown.map(({ time, text }) => label("tick", text, x(time))),
    ...(edge ? [label("tick edge", edge, last)] : []),
  ];
}

/** The names in the right gutter, moved apart, each with a hair to its line where it was moved. @param {Chart} chart @param {Places} places */
function nameLabels(chart, { plot, y }) {
  const { lines, ghost, unit, right } = chart;
  const edge = plot.x + plot.width;
  const floor = plot.y + plot.height + (chart.axis ? ABOVE_TIMES : TOP) * unit;
  const named = lines.flatMap((line) => {
    const last = line.points.findLast((point) => !isGap(point));
    return line.name ? [{ text: line.name, end: last ? y(last[4]) : floor - (LABEL / 2) * unit, className: nameClass(line) }] : [];
  });
  const past = ghost?.points.findLast((point) => !isGap(point));
  if (ghost?.name && past) named.push({ text: ghost.name, end: y(past[2]), className: "name ghostly" });
  const shown = fitting(named, Math.floor((floor + 0.1 * LABEL * unit) / (1.1 * LABEL * unit)));
  const spots = placeLabels(shown.map(({ end }) => end), LABEL * unit, floor).map(Number);
  const apart = shown.some(({ end }, i) => Math.abs(end - spots[i]) > 0.4 * unit);
  const hair = (end, spot) => `M${edge + 0.9 * unit} ${end}L${edge + 2 * unit} ${spot}`;
  const x = edge + (apart ? 2.5 : 1.4) * unit;
  return {
    shapes: apart ? [path("tie", shown.map(({ end }, i) => hair(end, spots[i])).join(""))] : [],
    labels: shown.map(({ text, className }, i) => /** @type {Label} */ ({ className, text, align: "start", x, y: spots[i], room: right * unit - (x - edge) })),
  };
}

/** The CSS classes of the name of a line. @param {Line} line */
function nameClass({ current, level = "" }) {
  return ["name", current ? level : "quiet"].filter(Boolean).join(" ");
}

/** As many names as there is room for; the last one counts the others. */
function fitting(named, most) {
  if (named.length <= most) return named;
  const urgent = [...named].sort((a, b) => rank(a) - rank(b)).slice(0, Math.max(0, most - 1));
  const rest = named.length - urgent.length;
  return [...named.filter((one) => urgent.includes(one)), { text: `+${rest}`, end: Math.max(...named.map(({ end }) => end)), className: "name" }];
}

function rank({ className }) {
  return className.includes("critical") ? 0 : className.includes("warn") ? 1 : 2;
}
