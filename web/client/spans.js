/**
 * The states of streams over long windows, such as "critical from 14:02 to 14:20": read from the server once, then followed on
 * the link.
 *
 * A stream keeps at most as many spans as a picture can show.
 */

import { isFilling } from "./past.js";
import { Reads, follow } from "./reads.js";

/** @typedef {import("./link.js").Stream} Stream */
/** @typedef {"ok"|"warn"|"critical"|"unknown"} Mark */
/** @typedef {[from: number, to: number, mark: Mark]} Span  in seconds; `to` is Infinity while it lasts */

/** Seconds between two reads of one window. */
const READ_EVERY = 60;
/** The most spans of a stream: a picture of 1000 pixels has room for half of them. */
const MOST = 1000;
/** How many slots of numbers to ask for: none are needed beside the levels, but the server gives at least two. */
const POINTS = 2;
const MARKS = new Set(["ok", "warn", "critical"]);

class Known {
  /** Ascending, without overlap; a time in none is not known yet. @type {Span[]} */
  spans = [];
  read = -Infinity;
  complete = false;
  /** Whether there was an answer before. */
  #answered = false;
  /** The seq of the newest update. */
  seq = 0;

  /** @param {number} seconds  the length of the window */
  constructor(seconds) {
    this.seconds = seconds;
  }

  /** Begin a span with this mark. @param {number} time @param {Mark} mark */
  push(time, mark) {
    const last = this.spans[this.spans.length - 1];
    if (last?.[2] === mark && last[1] === Infinity) return;
    // A time before the newest span's begin is late news: what was shown since then stays.
    const from = Math.max(time, last?.[0] ?? -Infinity);
    if (last) last[1] = Math.min(last[1], from);
    if (last && last[0] >= last[1]) this.spans.pop();
    this.spans.push([from, Infinity, mark]);
    this.spans.splice(0, this.spans.length - MOST);
  }

  /** Take the server's answer, and keep the spans that began after it. @param {any} answer */
  load(answer) {
    const heard = this.spans.filter(([, to]) => to > answer.to);
    const past = spansOf(answer);
    // A backfill begins a moment after its streams: one more read finds it.
    const isEarly = !this.#answered && !(past[0]?.[0] <= answer.from);
    this.#answered = true;
    this.complete = !isEarly && !isFilling(answer);
    this.spans = merged([...past, ...heard.map(([from, to, mark]) => /** @type {Span} */ ([Math.max(from, answer.to), to, mark]))]);
  }
}

export class Spans {
  #link;
  /** By stream. @type {Map<string, Known>} */
  #known = new Map();
  #reads;
  #abort = new AbortController();

  /** @param {import("./link.js").Link} link @param {Reads} [reads]  shared with others that read of the same server */
  constructor(link, reads = new Reads()) {
    this.#link = link;
    this.#reads = reads;
    follow(link, this.#abort.signal, (update) => this.#count(update), (name) => this.#judge(name));
  }

  /** Stop following, and forget everything. */
  close() {
    this.#abort.abort();
    this.#known.clear();
    this.#reads.clear();
  }

  /** Forget all streams but these. @param {Map<string, unknown>} streams  by name */
  retain(streams) {
    for (const name of this.#known.keys()) if (!streams.has(name)) this.#known.delete(name);
  }

  /**
   * When the present state of a stream began, if its window was asked for.
   * @param {Stream} stream
   * @param {Mark} mark  its present state
   * @returns {number|undefined}
   */
  began({ name }, mark) {
    const [from, , newest] = this.#known.get(name)?.spans.at(-1) ?? [];
    return newest === mark ? from : undefined;
  }

  /**
   * The states of a stream in its newest seconds. Until the server has answered, these are the ones since the request.
   * @param {Stream} stream
   * @param {number} seconds  the longest window that was asked for is kept
   * @returns {Span[]}  ascending; a time in none is not known
   */
  newest(stream, seconds) {
    let known = this.#known.get(stream.name);
    if (!known || known.seconds < seconds) {
      known = new Known(seconds);
      this.#known.set(stream.name, known);
      known.seq = stream.seq;
      this.#judge(stream.name);
    }
    if (!known.complete && stream.seq) this.#request(stream.name, known);
    const begin = this.#link.now() - seconds;
    return known.spans.filter(([, to]) => to > begin);
  }

  #request(name, known) {
    const now = this.#link.now();
    if (now - known.read < READ_EVERY) return;
    known.read = now;
    this.#reads.add(async (signal) => {
      if (this.#known.get(name) !== known) return; // a longer window was asked for, or it was forgotten
      const answer = await this.#link.past(name, { from: this.#link.now() - known.seconds, points: POINTS, signal });
      if (this.#known.get(name) !== known) return;
      known.load(answer);
      this.#judge(name);
    });
  }

  #count({ stream: name, seq }) {
    const known = this.#known.get(name);
    if (!known || seq <= known.seq) return;
    if (known.seq && seq !== known.seq + 1) known.complete = false; // some were missed: read it again
    known.seq = seq;
  }

  /** Begin a span with the present state, if it has changed. */
  #judge(name) {
    const known = this.#known.get(name);
    const stream = this.#link.streams.get(name);
    if (!known) return;
    if (!stream?.seq) {
      // The stream begins anew, and the old updates are not its past; unless the server has not said hello yet.
      if (this.#link.at !== null) this.#known.delete(name);
      return;
    }
    const { health, time = 0 } = stream;
    const { level = "ok" } = health;
    const mark = health.state !== "fresh" ? "unknown" : MARKS.has(level) ? /** @type {Mark} */ (level) : "ok";
    const last = known.spans[known.spans.length - 1];
    // A value that is confirmed after a silence holds from its confirmation on.
    const since = mark === "unknown" || last?.[2] === "unknown" ? Math.max(health.proof ?? 0, time) : time;
    known.push(since, mark);
  }
}

/**
 * The spans in an answer of the server: the levels; for a stream without limits, the times when its value was known. Silences
 * become spans of "unknown".
 * @param {{from: number, to: number, levels?: [number, number, string][], words?: [number, number, unknown][], points?: number[][], silences?: [number, number|null][]}} answer
 * @returns {Span[]}
 */
export function spansOf({ from, to, levels = [], words = [], points = [], silences = [] }) {
  const known = levels.length ? levels : words.length ? words.map(([begin, end]) => [begin, end, "ok"]) : points.length ? [[points[0][0], to, "ok"]] : [];
  const holes = silences.map(([begin, end]) => /** @type {const} */ ([Math.max(begin, from), Math.min(end ?? to, to)]));
  /** @type {Span[]} */
  const spans = holes.filter(([begin, end]) => begin < end).map(([begin, end]) => [begin, end, "unknown"]);
  for (const [begin, end, mark] of known) spans.push(...without([Number(begin), Number(end)], holes).map(([a, b]) => /** @type {Span} */ ([a, b, MARKS.has(String(mark)) ? mark : "ok"])));
  return merged(spans.sort(([a], [b]) => a - b));
}

/** Join spans that touch and have the same mark. @param {Span[]} spans @returns {Span[]} */
function merged(spans) {
  /** @type {Span[]} */
  const whole = [];
  for (const [from, to, mark] of spans) {
    const last = whole[whole.length - 1];
    if (last && last[2] === mark && last[1] >= from) last[1] = to;
    else whole.push([from, to, mark]);
  }
  return whole;
}

/** The parts of a period outside of these holes. @param {[number, number]} period @param {(readonly [number, number])[]} holes ascending @returns {[number, number][]} */
function without([begin, end], holes) {
  /** @type {[number, number][]} */
  const parts = [];
  let at = begin;
  for (const [from, to] of holes) {
    if (to <= at || from >= end) continue;
    if (from > at) parts.push([at, from]);
    at = to;
  }
  if (at < end) parts.push([at, end]);
  return parts;
}
