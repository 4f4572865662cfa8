/**
 * The past of streams over long windows: read from the server once, then followed on the link.
 *
 * A window consists of slots, like the server's answer. An update goes into the slot of its time. So the part from the answer and
 * the part from the link have one form, and memory is bounded by the number of slots. A window is read again if updates were
 * missed; otherwise every ten minutes, because the past may have changed, or once a minute while a backfill fills it.
 */

import { coarsened, isGap, point, pointsOfPeriod, within } from "../draw/points.js";
import { Reads, follow } from "./reads.js";

/** @typedef {import("../draw/points.js").Point} Point */
/** @typedef {import("./link.js").Stream} Stream */

/**
 * How many slots to ask for: about two for each slot that a wide chart has room for, so that wider slots of several widths can be
 * made.
 */
const SLOTS = 500;
/** Seconds between two reads of one window. */
const READ_EVERY = 60;
/** After this many seconds everything is read again: a backfill or late updates may have changed the past. */
const REFRESH = 600;
/** Points beyond the slots of a window that may gather before they are put into slots. */
const LOOSE = 100;
/** A period of the past is read with this much more, as a share of its length, so that a period that moves on is seldom read. */
const AHEAD = 1 / 8;
/** How many periods of one stream are kept: those of two tiles, each before and after a change of the configuration. */
const PERIODS = 4;

/**
 * Whether a backfill will soon add to an answer of the server. A backfill with an error may wait for hours.
 * @param {{backfill?: {error: string|null}}} answer
 */
export function isFilling({ backfill }) {
  return backfill !== undefined && backfill.error === null;
}

/** The newest seconds of a stream, in slots. */
class Trace {
  /** @type {Point[]} ascending */
  points = [];
  /** When it was read, in seconds; -Infinity: it must be read. */
  read = -Infinity;
  /** The seq of the newest update in it. */
  seq = 0;
  /** Updates that came during a request, whose answer may lack them. @type {{seq: number, time: number, value: any}[]} */
  #heard = [];
  /** Whether the answer of the server is complete, so that the next request can wait. */
  complete = false;
  /** Whether there was an answer before. */
  #answered = false;

  /** @param {number} seconds  the length of the window */
  constructor(seconds) {
    this.seconds = seconds;
    /** Seconds of a slot. */
    this.width = seconds / SLOTS;
  }

  /** Add an update. @param {{seq: number, time: number, value: any}} update */
  follow(update) {
    this.seq = update.seq;
    this.push(update.time, update.value);
    if (!this.complete && this.#heard.push(update) > LOOSE) this.#heard.shift();
  }

  /** Add a number at its time, or a gap. @param {number} time @param {unknown} value */
  push(time, value) {
    let at = this.points.length;
    while (at > 0 && this.points[at - 1][0] > time) at--;
    this.points.splice(at, 0, point(time, typeof value === "number" ? value : NaN));
    if (this.points.length < SLOTS + LOOSE) return;
    const newest = this.points[this.points.length - 1][0];
    this.points = within(coarsened(this.points, this.width, newest), newest - this.seconds, Infinity);
  }

  /** Take the server's answer, and add the updates that it lacks. @param {any} answer */
  load(answer) {
    const news = this.#heard.filter(({ seq }) => seq > answer.seq);
    this.width = answer.width;
    this.points = pointsOfPeriod(answer);
    this.seq = Math.max(this.seq, answer.seq);
    // A backfill begins a moment after its streams: one more read finds it.
    const isEarly = !this.#answered && !(this.points[0]?.[0] <= answer.from);
    this.#answered = true;
    this.complete = !isEarly && !isFilling(answer) && (!news.length || news[0].seq === answer.seq + 1);
    this.#heard = [];
    for (const { time, value } of news) this.push(time, value);
  }

  /** Whether nothing is known since the newest point. */
  get paused() {
    const last = this.points[this.points.length - 1];
    return !last || isGap(last);
  }
}

export class Past {
  #link;
  /** The newest seconds, by stream and length. @type {Map<string, Map<number, Trace>>} */
  #traces = new Map();
  /** Periods by stream. @type {Map<string, {from: number, to: number, points: Point[], read: number, filling: boolean}[]>} */
  #periods = new Map();
  #reads;
  #abort = new AbortController();

  /** @param {import("./link.js").Link} link @param {Reads} [reads]  shared with other readers of the same server */
  constructor(link, reads = new Reads()) {
    this.#link = link;
    this.#reads = reads;
    follow(link, this.#abort.signal, (update) => this.#follow(update), (name) => this.#judge(name));
  }

  /** Stop following, and forget everything. */
  close() {
    this.#abort.abort();
    this.#traces.clear();
    this.#periods.clear();
    this.#reads.clear();
  }

  /** Forget all streams but these. @param {Map<string, unknown>} streams  by name */
  retain(streams) {
    for (const known of [this.#traces, this.#periods]) {
      for (const name of known.keys()) if (!streams.has(name)) known.delete(name);
    }
  }

  /**
   * The newest seconds of a stream. Until the server has answered, these are the updates since the request.
   * @param {Stream} stream
   * @param {number} seconds
   * @returns {{points: Point[], width: number}}  `width`: the seconds of a slot; slots of a picture should be multiples of it
   */
  newest({ name, seq, time = NaN, value }, seconds) {
    const traces = this.#traces.get(name) ?? new Map();
    this.#traces.set(name, traces);
    let trace = traces.get(seconds);
    if (!trace) {
      trace = new Trace(seconds);
      if (seq) trace.follow({ seq, time, value });
      traces.set(seconds, trace);
    }
    if (this.#link.now() - trace.read > REFRESH) trace.complete = false;
    if (!trace.complete && seq) this.#request(name, trace);
    return { points: within(trace.points, this.#link.now() - seconds, Infinity), width: trace.width };
  }

  /**
   * A period of the past, which no longer changes. Empty until the server has answered.
   * @param {string} name
   * @param {number} from  in seconds
   * @param {number} to  in seconds; the period that is read reaches further, so that one that moves on is seldom read
   * @returns {Point[]}
   */
  period(name, from, to) {
    const periods = this.#periods.get(name) ?? [];
    this.#periods.set(name, periods);
    const found = periods.find((one) => one.from <= from && one.to >= to);
    if (found) {
      const rest = found.points.length && !found.filling ? REFRESH : READ_EVERY;
      if (this.#link.now() - found.read > rest) this.#readPeriod(name, found);
      return found.points;
    }
    const end = Math.min(to + (to - from) * AHEAD, Math.max(to, this.#link.now()));
    const period = { from, to: end, points: /** @type {Point[]} */ ([]), read: -Infinity, filling: false };
    // Until it has been read, the former one shows most of it.
    const former = periods.find((one) => one.points.length && one.to > from && one.from <= from);
    if (former) period.points = former.points;
    periods.unshift(period);
    periods.splice(PERIODS);
    this.#readPeriod(name, period);
    return period.points;
  }

  #readPeriod(name, period) {
    period.read = this.#link.now();
    this.#reads.add(async (signal) => {
      const answer = await this.#link.past(name, { from: period.from, to: period.to, points: SLOTS, signal });
      period.points = pointsOfPeriod(answer);
      period.filling = isFilling(answer);
    });
  }

  #request(name, trace) {
    const now = this.#link.now();
    if (now - trace.read < READ_EVERY) return;
    trace.read = now;
    this.#reads.add(async (signal) => {
      const asked = this.#link.now();
      const answer = await this.#link.past(name, { from: now - trace.seconds, points: SLOTS, signal });
      if (this.#traces.get(name)?.get(trace.seconds) !== trace) return; // it was forgotten meanwhile
      // The answer ends with a whole second. Its newest number must not come after an update that follows in that second.
      trace.load({ ...answer, to: Math.min(answer.to, asked) });
      this.#judge(name);
    });
  }

  #follow({ stream: name, seq, time, value }) {
    for (const trace of this.#traces.get(name)?.values() ?? []) {
      if (seq <= trace.seq) continue;
      if (trace.seq && seq !== trace.seq + 1) trace.complete = false; // some were missed: read it again
      trace.follow({ seq, time, value });
    }
  }

  /** Begin or end a gap, depending on the stream's health. */
  #judge(name) {
    const traces = this.#traces.get(name);
    const stream = this.#link.streams.get(name);
    if (!traces) return;
    if (!stream?.seq) {
      this.#traces.delete(name); // the stream begins anew, and the old updates are not its past
      this.#periods.delete(name);
      return;
    }
    const { health, time = 0, value } = stream;
    const proof = Math.max(health.proof ?? 0, time);
    for (const trace of traces.values()) {
      if (health.state !== "fresh" && !trace.paused) trace.push(proof, NaN);
      else if (health.state === "fresh" && trace.paused && typeof value === "number") trace.push(proof, value);
    }
  }
}
