/**
 * What the wall's streams were: read from the server when a tile first asks, and followed from then on.
 *
 * An update that is not the next of its stream means that some went by unseen, or that the log began anew: it is read again.
 */

import { History } from "./history.js";

/** Seconds between two readings of one stream: where every second update is coalesced away, holes are no news. */
const AGAIN = 60;
/** Points asked for; and last updates kept, more than a list shows. */
const POINTS = 500;
const LAST = 24;
/** Milliseconds for an answer: one that hangs must not hold up the others. */
const PATIENCE = 10_000;

export class Histories {
  #link;
  #fetch;
  /** @type {Map<string, {history: History, last: {seq: number, time: number, value: any}[], keep: any, read: number}>} */
  #known = new Map();
  /** Names to be read, one after the other. @type {Set<string>} */
  #asked = new Set();
  #reading = false;
  #leave = new AbortController();

  /**
   * @param {import("./streamd.js").Link} link
   * @param {typeof fetch} [get]
   */
  constructor(link, get = (...how) => fetch(...how)) {
    this.#link = link;
    this.#fetch = get;
    const { signal } = this.#leave;
    link.addEventListener("update", ({ detail }) => this.#follow(detail), { signal });
    link.addEventListener("change", ({ detail }) => detail.names.forEach((name) => this.#judge(name)), { signal });
  }

  close() {
    this.#leave.abort();
    this.#known.clear();
  }

  /** @param {import("./streamd.js").Stream} stream @returns {History} */
  get(stream) {
    return this.#of(stream).history;
  }

  /** Its last updates, newest first. @param {import("./streamd.js").Stream} stream @returns {{time: number, value: any}[]} */
  last(stream) {
    return this.#of(stream).last;
  }

  /** Only these are on the wall: forget all others. @param {Map<string, unknown>} streams */
  keep(streams) {
    for (const name of this.#known.keys()) if (!streams.has(name)) this.#known.delete(name);
  }

  #of({ name, description, seq, time, value }) {
    const known = this.#known.get(name);
    if (known && known.keep === description.keep) return known;
    const made = { history: new History(description.keep), last: [], keep: description.keep, read: -Infinity };
    this.#known.set(name, made);
    if (seq) this.#push(made, { seq, time, value });
    if (seq !== 1) this.#ask(name);
    return made;
  }

  #push(known, { seq, time, value }) {
    known.history.seq = seq;
    known.history.push(time, value);
    known.last = [{ seq, time, value }, ...known.last].slice(0, LAST);
  }

  #follow(update) {
    const known = this.#known.get(update.stream);
    if (!known || update.seq <= known.history.seq) return; // it was read already
    if (update.seq !== known.history.seq + 1) this.#ask(update.stream);
    this.#push(known, update);
  }

  #ask(name) {
    this.#asked.add(name);
    if (!this.#reading) void this.#read();
  }

  async #read() {
    this.#reading = true;
    for (const name of this.#asked) {
      this.#asked.delete(name);
      const known = this.#known.get(name);
      const now = this.#link.now();
      if (!known || known.keep === 1 || now - known.read < AGAIN) continue;
      known.read = now;
      try {
        const answer = await this.#fetch(`streams/${name}?history=&points=${POINTS}`, { signal: AbortSignal.timeout(PATIENCE) });
        if (answer.ok) this.#take(name, known, await answer.json());
      } catch {
        // It will be asked again at the next hole; a line that is short is no lie.
      }
    }
    this.#reading = false;
  }

  /** What the server has, broken where it could not be believed, and what came meanwhile. */
  #take(name, known, { history: updates, silences = [] }) {
    if (this.#known.get(name) !== known || !updates.length) return;
    const fresh = { ...known, history: new History(known.keep), last: [] };
    const turns = silences.flatMap(([from, to]) => [{ time: from, over: false }, ...(to ? [{ time: to, over: true }] : [])]);
    for (const update of updates) {
      while (turns.length && turns[0].time < update.time) this.#turn(fresh, turns.shift());
      this.#push(fresh, update);
    }
    for (const turn of turns) this.#turn(fresh, turn);
    for (const update of [...known.last].reverse()) if (update.seq > fresh.history.seq) this.#push(fresh, update);
    this.#known.set(name, fresh);
    this.#judge(name);
  }

  /** A silence begins, or is over: then the last value was true again. */
  #turn({ history, last }, { time, over }) {
    if (!over) history.pause(time);
    else if (history.paused && typeof last[0]?.value === "number") history.push(time, last[0].value);
  }

  /** While a stream cannot be believed its line is broken. */
  #judge(name) {
    const [known, stream] = [this.#known.get(name), this.#link.streams.get(name)];
    if (!known) return;
    if (!stream?.seq) {
      if (known.history.seq) this.#known.delete(name); // it begins anew: what was is not its past
      return;
    }
    const { health, time = 0, value } = stream;
    if (health.state !== "fresh") known.history.pause(Math.max(health.proof ?? 0, time));
    else if (known.history.paused && typeof value === "number") known.history.push(Math.max(health.proof ?? 0, time), value);
  }
}
