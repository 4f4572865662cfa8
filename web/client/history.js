/**
 * The history of the wall's streams: read from the server when a tile first asks, then followed on the link.
 *
 * An update that is not the next of its stream means that updates were missed or that the log began anew. Then the history is
 * read again.
 */

import { parseExact } from "./exact.js";
import { Past } from "./past.js";
import { Reads, follow } from "./reads.js";
import { Series } from "./series.js";
import { Spans } from "./spans.js";

/** Seconds between two reads of one stream: if the server coalesces many updates, every message has a gap in seq. */
const READ_EVERY = 60;
/** How many points to ask for, and how many of the latest updates to keep: more than a list shows. */
const POINTS = 500;
const LATEST = 24;

export class History {
  /** Long windows, and periods of the past. @type {Past} */
  past;
  /** The levels and silences of streams over long windows. @type {Spans} */
  spans;

  #link;
  #fetch;
  /** @type {Map<string, {series: Series, latest: {seq: number, time: number, value: any, exact?: any}[], keep: any, read: number}>} */
  #known = new Map();
  /** All reads take turns here, so that the wall has one request at a time. */
  #reads = new Reads();
  /** Names that wait for their read. @type {Set<string>} */
  #waiting = new Set();
  #abort = new AbortController();

  /**
   * @param {import("./link.js").Link} link
   * @param {typeof fetch} [get]  for tests
   */
  constructor(link, get = (...request) => fetch(...request)) {
    this.past = new Past(link, this.#reads);
    this.spans = new Spans(link, this.#reads);
    this.#link = link;
    this.#fetch = get;
    follow(link, this.#abort.signal, (update) => this.#follow(update), (name) => this.#judge(name));
  }

  /** Stop following, and forget everything. */
  close() {
    this.past.close();
    this.spans.close();
    this.#abort.abort();
    this.#known.clear();
    this.#waiting.clear();
    this.#reads.clear();
  }

  /** The stream's numbers over time. @param {import("./link.js").Stream} stream @returns {Series} */
  series(stream) {
    return this.#of(stream).series;
  }

  /** The stream's latest updates, newest first. @param {import("./link.js").Stream} stream @returns {{time: number, value: any, exact?: any}[]} */
  latest(stream) {
    return this.#of(stream).latest;
  }

  /** Forget all streams but these. @param {Map<string, unknown>} streams  by name */
  retain(streams) {
    for (const name of this.#known.keys()) if (!streams.has(name)) this.#known.delete(name);
    this.past.retain(streams);
    this.spans.retain(streams);
  }

  /** The history of a stream; made, and asked for, at the first call. @param {import("./link.js").Stream} stream */
  #of({ name, description, seq, time = NaN, value, exact }) {
    const known = this.#known.get(name);
    if (known && known.keep === description.keep) return known;
    const made = { series: new Series(description.keep), latest: [], keep: description.keep, read: -Infinity };
    this.#known.set(name, made);
    if (seq) this.#push(made, { seq, time, value, exact });
    if (seq !== 1) this.#request(name); // the first update has no past
    return made;
  }

  #push(known, { seq, time, value, exact }) {
    known.series.seq = seq;
    known.series.push(time, value);
    known.latest = [{ seq, time, value, exact }, ...known.latest].slice(0, LATEST);
  }

  #follow(update) {
    const known = this.#known.get(update.stream);
    if (!known || update.seq <= known.series.seq) return; // the answer to a read held it already
    if (update.seq !== known.series.seq + 1) this.#request(update.stream);
    this.#push(known, update);
  }

  #request(name) {
    if (this.#waiting.has(name)) return;
    this.#waiting.add(name);
    this.#reads.add(async (signal) => {
      this.#waiting.delete(name);
      await this.#read(name, signal);
    });
  }

  /** Read a stream's history. If that fails, the next gap in seq makes another request. @param {string} name @param {AbortSignal} signal */
  async #read(name, signal) {
    const known = this.#known.get(name);
    const now = this.#link.now();
    if (!known || known.keep === 1 || now - known.read < READ_EVERY) return;
    known.read = now;
    const answer = await this.#fetch(`streams/${name}?history=&points=${POINTS}`, { signal });
    if (answer.ok) this.#take(name, known, parseExact(await answer.text()));
  }

  /** Rebuild a stream's history from an answer: its updates, a gap for each silence, and the updates that came meanwhile. */
  #take(name, known, { history: updates, silences = [] }) {
    if (this.#known.get(name) !== known || !updates.length) return;
    const fresh = { ...known, series: new Series(known.keep), latest: [] };
    const turns = silences.flatMap(([from, to]) => [{ time: from, over: false }, ...(to ? [{ time: to, over: true }] : [])]);
    for (const update of updates) {
      while (turns.length && turns[0].time < update.time) this.#turn(fresh, turns.shift());
      this.#push(fresh, update);
    }
    for (const turn of turns) this.#turn(fresh, turn);
    for (const update of [...known.latest].reverse()) if (update.seq > fresh.series.seq) this.#push(fresh, update);
    this.#known.set(name, fresh);
    this.#judge(name);
  }

  /** Begin or end a silence; its end confirms the value from before it. @param {any} known @param {any} turn */
  #turn({ series, latest }, { time, over }) {
    if (!over) series.pause(time);
    else if (series.paused && typeof latest[0]?.value === "number") series.push(time, latest[0].value);
  }

  /** Begin or end a gap, depending on the stream's health. */
  #judge(name) {
    const [known, stream] = [this.#known.get(name), this.#link.streams.get(name)];
    if (!known) return;
    if (!stream?.seq) {
      if (known.series.seq) this.#known.delete(name); // the stream begins anew, and the old updates are not its past
      return;
    }
    const { health, time = 0, value } = stream;
    const proof = Math.max(health.proof ?? 0, time);
    if (health.state !== "fresh") known.series.pause(proof);
    else if (known.series.paused && typeof value === "number") known.series.push(proof, value);
  }
}
