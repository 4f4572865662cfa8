/**
 * Streams as lines over time, in a plot: the common part of charts, quantiles and the sparks beside numbers.
 *
 * A line is drawn again when it has changed, or when time has moved it by half a pixel: for a window of hours every few seconds.
 */

import { knownUntil, stateOf } from "../client/health.js";
import { drawChart, shownLimits } from "../draw/chart.js";
import { isEmpty, moved } from "../draw/compare.js";
import { roundTimes } from "../draw/hours.js";
import { emsOf } from "../draw/numeral.js";
import { pointsOf as pointsOfRows } from "../draw/pairs.js";
import { coarsened, coarsenedUpToNow, pointsOf, withDays, within } from "../draw/points.js";
import { limitsOf, rangeOf, risesFromZero, scaleOf } from "../draw/scale.js";
import { clock } from "../text/times.js";
import { say } from "../text/words.js";
import { comparable } from "../text/zone.js";
import { Plot } from "../page/plot.js";

/** @typedef {import("../kinds/kind.js").Stream} Stream @typedef {import("../kinds/kind.js").Picture} Picture */
/** @typedef {import("../draw/points.js").Point} Point */

/** The possible seconds of a slot. Like those of the server, they divide an hour or a day. */
const WIDTHS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];
/** The least width of a slot in the picture, in u: a line that goes up and down within its own thickness is a blot. */
const NARROWEST = { line: 0.4, spark: 0.2 };
/** In u: the room of a time below the plot, the size of labels, and the space for half a dot. */
const TIME = { second: 11, minute: 9, day: 6 };
const TICK = 2.4;
const BARE = 0.9;
/** The least gutters, in u, and the room that a name needs beside its text for a space or a hair to its line. */
const GUTTER = { left: 4, right: 1.6, name: 3.4 };
const GUTTERS = 12; // of most charts, together
/**
 * In u: the least height of a plot with times below, and the least size of one with a scale; a narrower plot has no ghost (the
 * line of the past).
 */
const LEAST = { axis: 11, height: 8, width: 14, ghost: 30, bareGhost: 20 };
/** How often round times are computed while a window passes: in a time zone that costs as much as drawing all lines. */
const FEW = 200;
/** The comparable parts of a window are computed for this many seconds more, because they change only with the clocks. */
const HOUR = 3600;
/** The window of a long history whose tile names none, and of a picture of nothing, in seconds. */
const WINDOW = 8 * HOUR;

/**
 * @typedef {object} Options
 * @property {number} unit  how many pixels u has
 * @property {boolean} [bare]  whether it has lines only, without a scale, times and names
 * @property {{left: number, right: number}} [gutters]  for numbers and names, in u; left out: as wide as those are
 * @property {number|null} window  in seconds; null: the updates that the page keeps
 * @property {(import("../draw/pairs.js").Pairs|null)[]} [series]  the values that are series of times, instead of the streams' past
 * @property {number} [compare]  in days
 * @property {string} [against]  the name of the past with which the line is compared
 * @property {boolean} [log]
 * @property {boolean} [axis]  whether times are written below, if there is room
 * @property {boolean} [hairs]  whether round times and now have lines of their own
 * @property {boolean} [quantiles]  whether the streams are quantiles of one thing, the lowest first
 * @property {(room: number) => string[]} [names]  returns the names of the lines for a picture of this width, in u
 * @property {(scale: import("../draw/scale.js").Scale) => (value: number) => string} [number]  writes the numbers of a scale
 * @property {(limit: import("../draw/scale.js").Limit) => string} [limit]
 * @property {(tick: import("../draw/hours.js").Tick) => string} [time]
 * @property {string} [edge]  what is written below the right edge
 */

export class Timeline {
  /** The window that was drawn, in seconds since 1970. */
  from = 0;
  to = 0;
  /** The past that the first line is compared with, at the times of the window; null: nothing is known of it. @type {Point[]|null} */
  ghost = null;
  /** The lowest and highest value drawn. */
  range = { low: Infinity, high: -Infinity };

  #plot;
  #stale = true;
  #key = "";
  /** In pixels; null: not known yet. @type {{width: number, height: number}|null} */
  #room = null;
  /** The latest arguments of `draw`. @type {[Stream[], Picture, Options]|null} */
  #latest = null;
  #observer;
  /** @type {{key: string, round: {time: number, text: string}[]}} */
  #times = { key: "", round: [] };
  /** @type {{key: string, parts: ReturnType<typeof comparable>}} */
  #comparable = { key: "", parts: [] };

  /** @param {boolean} spoken  whether it has a text for screen readers that says more than the words beside it */
  constructor(spoken) {
    this.#plot = new Plot(spoken);
    this.#observer = new ResizeObserver(([{ contentRect }]) => this.#resize(contentRect));
    this.#observer.observe(this.element);
  }

  get element() {
    return this.#plot.element;
  }

  /** The text for screen readers. @param {string} text */
  set spoken(text) {
    this.#plot.spoken = text;
  }

  /** Note that a stream has changed: the next `draw` draws. */
  update() {
    this.#stale = true;
  }

  /** Draw, if that changes anything. @param {Stream[]} streams @param {Picture} picture @param {Options} options */
  draw(streams, picture, options) {
    this.#latest = [streams, picture, options];
    const { window, series = [] } = options;
    const end = Math.min(picture.now, picture.lost ?? Infinity);
    const lines = streams.map((stream, i) => lineOf(stream, picture, options, end, series[i]));
    const to = Math.max(...lines.map((line) => line.to));
    const first = Math.min(...lines.map(({ points }) => points[0]?.[0] ?? Infinity));
    const from = window && !series.some(Boolean) ? to - window : first < Infinity ? Math.min(to - 1, first) : to - WINDOW;
    const past = this.#past(streams[0], picture, options, from, to);
    if (!(this.#room && to > from) || !this.#moved(lines, past, from, to, options)) return;
    [this.from, this.to] = [from, to];
    const ghost = past && withDays(moved(past, this.#parts(from, to, options.compare ?? 0, picture), from, to));
    this.ghost = ghost && !isEmpty(ghost) ? ghost : null;
    this.#plot.show(drawChart(this.#chart(streams, lines, picture, options, this.#room)));
  }

  #resize({ width, height }) {
    if (!this.element.isConnected) this.#observer.disconnect(); // its tile is gone
    this.#room = width > 0 && height > 0 ? { width, height } : null;
    this.#stale = true;
    if (this.#latest) this.draw(...this.#latest);
  }

  /**
   * Whether anything moved by half a pixel, or changed.
   * @param {any[]} lines @param {Point[]|null} past @param {number} from @param {number} to @param {Options} options
   */
  #moved(lines, past, from, to, { unit, edge, axis, gutters }) {
    const step = (to - from) / (2 * (this.#room?.width ?? 1));
    const known = lines.map(({ points, until, current }) => [points.length, points[points.length - 1]?.[0], current || Math.floor(until / step)]);
    const key = [unit, edge, axis, !gutters, Math.floor(to / step), known, past?.length].join();
    if (key === this.#key && !this.#stale) return false;
    this.#key = key;
    this.#stale = false;
    return true;
  }

  /**
   * The past that the first stream is compared with, at its own times; null: none is wanted.
   * @param {Stream} stream @param {Picture} picture @param {Options} options @param {number} from @param {number} to
   * @returns {Point[]|null}
   */
  #past({ name, seq }, { history }, { window, compare }, from, to) {
    if (!compare || !window || !seq) return null;
    const day = compare * 86_400;
    // An hour earlier and later: between then and now the clocks may have been changed.
    return history.past.period(name, from - day - HOUR, to - day + HOUR);
  }

  #parts(from, to, days, picture) {
    const begin = Math.floor(from / HOUR) * HOUR;
    const end = Math.ceil(to / HOUR + 1) * HOUR;
    const key = [begin, end, days, picture.timezone].join();
    if (this.#comparable.key !== key) this.#comparable = { key, parts: comparable(begin, end, days, picture) };
    return this.#comparable.parts;
  }

  /** The chart that draws these lines. @returns {import("../draw/chart.js").Chart} */
  #chart(streams, lines, picture, options, { width, height }) {
    const { from, to } = this;
    const { unit, quantiles = false, against = "" } = options;
    const bare = options.bare || height < LEAST.height * unit || width < LEAST.width * unit;
    const names = bare ? [] : options.names?.(width / unit) ?? [];
    const [room, narrowest] = bare ? [width / unit, NARROWEST.spark] : [width / unit - GUTTERS, NARROWEST.line];
    const slot = slotWidth(((to - from) * narrowest) / Math.max(5, room), Math.max(...lines.map(({ slot }) => slot)));
    const drawn = lines.map((line, i) => {
      const known = within(line.points, from, to);
      const points = options.series?.[i] ? known : coarsenedUpToNow(withDays(known), slot, line.until);
      const thin = quantiles ? i > 0 : lines.length > 1 && !line.level;
      return { ...line, points, thin, name: names[i] ?? "", limits: limitsOf(streams[i].description) };
    });
    const hasRoom = width >= (options.bare ? LEAST.bareGhost : LEAST.ghost) * unit;
    const ghost = this.ghost && hasRoom ? { points: coarsened(this.ghost, slot, to).map(atMiddle), name: bare ? "" : against } : null;
    const isCount = lines.length === 1 && risesFromZero(streams[0].description, lines[0].points);
    const scale = this.#scale([...drawn.map(({ points }) => points), ...(ghost ? [ghost.points] : [])], drawn, isCount, options);
    const number = options.number?.(scale) ?? String;
    const gutters = bare ? { left: 0, right: BARE } : options.gutters ?? guttersFor(scale, shownLimits({ lines: drawn, scale }), [...drawn.map(({ name }) => name), ghost?.name ?? ""], { ...options, number }, width / unit);
    const axis = !bare && !!options.axis && height >= LEAST.axis * unit;
    const round = axis || options.hairs ? this.#round(width / unit - gutters.left - gutters.right, picture, options) : [];
    return {
      width, height, unit, ...gutters, axis, from, to, lines: drawn, ghost, scale, area: isCount && scale.bottom >= 0,
      hairs: options.hairs, edge: options.edge, number, limit: options.limit,
      between: quantiles && drawn.length > 1 ? [0, Math.max(1, drawn.length - 2)] : undefined,
      times: round,
    };
  }

  /** The round times that have room, with their texts. They are made anew when the window has moved by a share of its length. */
  #round(room, picture, { time }) {
    const { from, to } = this;
    const key = [Math.floor((FEW * from) / (to - from)), Math.round(to - from), Math.floor(room), picture.language, picture.timezone].join();
    if (key !== this.#times.key) {
      const [first] = roundTimes(from, to, Math.max(1, Math.floor(room / TIME.day)), picture);
      const each = first ? TIME[first.finest] ?? TIME.minute : TIME.minute;
      const round = roundTimes(from, to, Math.max(1, Math.floor(room / each)), picture);
      this.#times = { key, round: round.map((tick) => ({ time: tick.time, text: time?.(tick) ?? "" })) };
    }
    return this.#times.round;
  }

  #scale(all, drawn, zero, { log }) {
    this.range = rangeOf(drawn.map(({ points }) => points));
    const range = rangeOf(all);
    if (range.low > range.high) return { bottom: 0, top: 1, log: false, ticks: [] }; // nothing is known
    return scaleOf(range, { zero, log, limits: drawn.flatMap(({ limits }) => limits) });
  }
}

/**
 * Gutters as wide as the texts in them.
 * @param {import("../draw/scale.js").Scale} scale
 * @param {import("../draw/scale.js").Limit[]} limits  on the scale
 * @param {string[]} names
 * @param {{number: (value: number) => string, limit?: (limit: import("../draw/scale.js").Limit) => string}} texts
 * @param {number} width  of all, in u
 */
function guttersFor(scale, limits, names, { number, limit = String }, width) {
  const room = (texts) => Math.max(...texts.map(emsOf)) * TICK;
  const hasNames = names.some(Boolean);
  return {
    left: Math.min(0.3 * width, Math.max(GUTTER.left, room([...scale.ticks.map(number), ...limits.map(limit)]) + 2 * BARE)),
    right: hasNames ? Math.min(0.4 * width, room(names) + GUTTER.name) : GUTTER.right,
  };
}

/**
 * A point of the ghost, reduced to its middle, because its range must not widen the scale.
 * @param {Point} point
 * @returns {Point}
 */
function atMiddle([time, , middle]) {
  return [time, middle, middle, middle, middle];
}

/**
 * The line of a stream: its past until now, or the series in its value.
 * @param {Stream} stream
 * @param {Picture} picture
 * @param {Options} options
 * @param {number} end  now, or when the link was lost
 * @param {import("../draw/pairs.js").Pairs|null} [series]
 */
function lineOf(stream, picture, { window }, end, series) {
  const state = stateOf(stream, picture);
  const { level = "ok" } = stream.health;
  const current = state === "current";
  const looks = { current, dashed: !current && state !== "failed", level: /** @type {"warn"|"critical"|""} */ (current && level !== "ok" ? level : "") };
  if (series) return { ...looks, ...lineOfSeries(series.rows), slot: 0, dashed: false };
  const { points, width } = knownPoints(stream, picture, window);
  return { ...looks, points, slot: width, until: Math.min(end, knownUntil(stream, picture)), to: end };
}

/** The line of a series, whose last number holds for one more step. @param {import("../draw/pairs.js").Pairs["rows"]} rows */
function lineOfSeries(rows) {
  if (!rows.length) return { points: [], until: 0, to: 0 };
  const { times, values, until } = pointsOfRows(rows);
  return { points: pointsOf(times, values), until, to: until };
}

/**
 * The known past of a stream.
 * @param {Stream} stream
 * @param {Picture} picture
 * @param {number|null} window  in seconds; null: the updates that the page keeps
 * @returns {{points: Point[], width: number}}  `width`: the seconds of a slot; 0: the points are updates
 */
export function knownPoints(stream, { history, now }, window) {
  if (window) return history.past.newest(stream, window);
  const { times, values } = history.series(stream).points(now);
  return { points: pointsOf(times, values), width: 0 };
}

/**
 * The seconds of a slot in the picture: a multiple of those of the points, at least as wide as a line is thick.
 * @param {number} least  the seconds that the thickness of the line covers
 * @param {number} slot  of the points, in seconds; 0: they are updates
 */
function slotWidth(least, slot) {
  const fits = WIDTHS.find((width) => width >= least && (slot === 0 || width % slot === 0));
  return fits ?? Math.max(slot, least);
}

/**
 * The window of a tile's lines: its score's, its own, or the length of the stream's history.
 * @param {Record<string, any>} spec  of the tile
 * @param {Record<string, any>} description  of the stream
 * @returns {number|null}  in seconds; null: the updates that the page keeps
 */
export function windowOf({ score, window }, { keep, rollup }) {
  const long = secondsOf(rollup);
  return score?.window ?? window ?? (long ? Math.min(long, WINDOW) : secondsOf(keep));
}

/** The seconds of "86400s"; null for a number of updates. @param {unknown} keep @returns {number|null} */
function secondsOf(keep) {
  return typeof keep === "string" ? parseFloat(keep) || null : null;
}

/**
 * The text below the right edge: the time when the link was lost; now, if anything is known now; otherwise only the time.
 * @param {Stream[]} streams
 * @param {Picture} picture
 * @param {boolean} [shared]  whether other tiles share the axis, of which something may be known
 */
export function edgeText(streams, picture, shared = false) {
  const { lost = null, now } = picture;
  const isNow = lost === null && (shared || streams.some((stream) => stateOf(stream, picture) === "current"));
  return isNow ? say("now", picture) : clock(lost ?? now, now, picture);
}
