/**
 * streamd's client: keeps a page's copy of the streams current, for months, by itself.
 *
 *     import { connect } from "http://wall.example:5000/streamd.js";
 *     const link = connect({ streams: ["orders", "db.*"] });
 *     link.addEventListener("update", ({ detail }) => console.log(detail.stream, detail.value));
 *
 * It speaks `streamd.v1` over a WebSocket or, where proxies let none pass, listens to the same on an event stream:
 *
 *     <- hello     who is there, from which position on, the server's time; opens every connection. `more`: what was missed follows
 *     <- updates   new values; `more`: the newest is not among them yet
 *     <- health    fresh, late or failed; ok, warn or critical
 *     <- streams   new or other descriptions; null: forgotten
 *     <- journal   whether the server itself can still hear what is new
 *     <- tick      the server's time and the latest proofs, every few seconds
 *     <- build     which page and walls the server has
 *     <- command   what a screen is to do
 *     <- error, bye
 *     -> screen    what a screen shows, and up to where
 *
 * Memory is bounded by the number of streams: of each, the newest update, and as much history as was asked for.
 * A message that cannot be understood breaks the link (it may have carried a value); an unknown kind of message or key does not.
 */

import { Line, steadyClock } from "./line.js";

/** Seconds between ticks when the server does not say. */
const TICK = 5;
/** The longest wait, in seconds, that a server can ask for in its bye. */
const PATIENCE = 600;
/** How many of the latest clock readings count: the one that travelled least is right. */
const READINGS = 6;

/**
 * @typedef {object} Stream
 * @property {string} name
 * @property {Record<string, any>} description  title, unit, expect (seconds), warn, critical, …
 * @property {{state?: "fresh"|"late"|"failed", level?: "ok"|"warn"|"critical", since?: number, proof?: number, error?: string}} health
 * @property {number} seq  0: no value yet
 * @property {string} [at]  its position in the log; opaque
 * @property {number} [time]  when the value was true, in seconds of the server's clock
 * @property {any} [value]
 * @property {number} missed  updates that went by unseen, told by the holes in seq
 * @property {Update[]} [history]  with the option `history`: the last updates, oldest first, the newest included
 *
 * @typedef {{seq: number, at: string, time: number, value: any}} Update
 *
 * @typedef {"connecting"|"catching-up"|"live"|"lost"|"closed"} Status
 *
 * @typedef {object} Options
 * @property {string|URL} [url]  the server; http(s) and ws(s) alike. Default: where this module came from.
 * @property {string[]} [streams]  names and globs; all when left out, none when empty
 * @property {number} [history]  how many updates of each stream to keep, from 1; without, the newest only
 * @property {string} [token]  for servers that ask who reads; it never becomes part of a URL or a message
 * @property {typeof WebSocket} [WebSocket]  for tests, and for where there is none
 * @property {typeof fetch|null} [fetch]  null: never an event stream
 * @property {() => number} [clock]  seconds; nobody sets it, and it goes on while the machine sleeps
 * @property {() => number} [random]  from 0 up to 1
 */

/**
 * Connect, and stay connected until `close()`.
 * @param {Options} [options]
 * @returns {Link}
 */
export function connect(options = {}) {
  return new Link(options);
}

/**
 * The page's end of the link. All properties are to be read only. Events:
 * - `update`: one new value; `detail` is `{stream, seq, at, time, value}`
 * - `change`: after each message that changed streams in any way; `detail.names` says which, gone ones included
 * - `link`: `status` is another; `journal`: `journal` is another
 * - `tick`: still there; `error`: what the server refused, `detail` is `{code, message}`
 * - `build`: the server's page and walls are `detail.build`; `command`: `detail` is the message for this screen
 */
export class Link extends EventTarget {
  /** @type {Map<string, Stream>} in the server's order */
  streams = new Map();
  /** Everything up to here has arrived; null: nothing yet. @type {string|null} */
  at = null;
  /** Values are current only while this is "live". @type {Status} */
  status = "connecting";
  /** @type {{state: "ok"|"away", since?: number, error?: string}} */
  journal = { state: "ok" };

  #url;
  #selected;
  #history;
  #clock;
  #random;
  #line;
  /** Between a hello and the updates, or the tick without any, that follow it. */
  #unanswered = false;
  /** Server's clock minus ours, as last read. @type {number[]} */
  #readings = [];
  #offset;
  /** Our clock when the picture was last known to be current; null: it is. @type {number|null} */
  #lost;

  /** @param {Options} options */
  constructor({
    url, streams, history, token,
    WebSocket = globalThis.WebSocket, fetch = globalThis.fetch, clock = steadyClock(), random = Math.random,
  }) {
    super();
    this.#url = address(url);
    this.#selected = streams;
    this.#history = history;
    this.#clock = clock;
    this.#random = random;
    this.#offset = Date.now() / 1000 - clock(); // the best guess until the server has spoken
    this.#lost = clock();
    const ears = {
      address: () => this.#question(),
      take: (message) => this.#take(message),
      refused: (error) => this.#say("error", error),
      lost: () => this.#miss(),
    };
    this.#line = new Line(ears, token, { WebSocket, fetch, clock, random });
    this.#line.open();
  }

  /** The server's clock, in seconds since the epoch. @returns {number} */
  now() {
    return this.#clock() + this.#offset;
  }

  /** Since when the picture is not known to be current, by the server's clock; null while it is. @returns {number|null} */
  get lostSince() {
    return this.#lost === null ? null : this.#lost + this.#offset;
  }

  /** Seconds between two ticks. */
  get tick() {
    return this.#line.tick;
  }

  /**
   * Read something else from now on. There is no position for a new selection: everything begins anew.
   * @param {string[]} [streams]  as for `connect`
   */
  select(streams) {
    this.#selected = streams;
    this.at = null;
    if (!this.#line.busy) return; // closed, or the next attempt will ask for it
    this.#line.drop();
    this.#line.open();
    if (this.status !== "live") return;
    this.#lost = this.#clock();
    this.#turn("catching-up");
  }

  /**
   * Tell the server what this screen shows, for those who look after many; nothing is told over an event stream.
   * @param {{name: string, wall?: string, delay?: number}} screen  its name, the wall, how many seconds it is behind
   */
  report({ name, wall, delay }) {
    this.#line.say({ type: "screen", name, wall, at: this.at, delay });
  }

  /** Leave, for good. */
  close() {
    this.#line.close();
    this.#turn("closed");
  }

  /** What is missing, as the WebSocket's address; a name of stream cannot hold a comma. */
  #question() {
    const url = new URL(this.#url);
    if (this.#selected) url.searchParams.set("streams", this.#selected.join(","));
    if (this.#history) url.searchParams.set("history", String(this.#history));
    if (this.at !== null) url.searchParams.set("after", this.at);
    return url;
  }

  #miss() {
    this.#lost ??= this.#line.heard;
    this.#turn("lost");
  }

  #take(message) {
    switch (message.type) {
      case "hello": return this.#hello(message);
      case "updates": return this.#updates(message);
      case "health": return this.#change(message.health, (stream, health) => { stream.health = health ?? {}; });
      case "streams": return this.#describe(message.streams);
      case "journal": return this.#journal(message);
      case "tick": return this.#ticked(message);
      case "build": return this.#say("build", { build: message.build });
      case "command": return this.#say("command", message);
      case "error": return this.#say("error", { code: message.code, message: message.message });
      case "bye": return this.#bye(message);
    }
  }

  #hello({ now, tick, at, resumed, more, streams = {}, health = {}, journal }) {
    this.#line.tick = tick > 0 ? tick : TICK;
    this.#readings = [];
    this.#correct(now);
    this.at = at ?? null;
    const before = this.streams;
    this.streams = new Map();
    for (const [name, description] of Object.entries(streams)) {
      const kept = resumed ? before.get(name) : undefined;
      this.streams.set(name, { ...(kept ?? this.#blank(name)), description, health: {} });
    }
    for (const [name, value] of Object.entries(health)) this.#stream(name).health = value ?? {};
    this.#journal(journal ?? { state: "ok" });
    this.#say("change", { names: [...new Set([...before.keys(), ...this.streams.keys()])] });
    // A resumed hello says whether there is anything to catch up with; after any other, what there is follows.
    this.#unanswered = more ?? (!resumed && this.streams.size > 0);
    // Who goes on from a live picture is told what follows at once: nothing to worry anybody about.
    this.#arrived(this.#unanswered && !(resumed && this.status === "live"));
  }

  #updates({ updates, at, more }) {
    const names = new Set();
    if (at) this.at = at;
    for (const update of updates) {
      const { stream: name, seq, at, time, value } = update;
      const stream = this.#stream(name);
      if (seq <= stream.seq) continue; // the event stream told it, before the WebSocket took over
      if (stream.seq && seq > stream.seq + 1) stream.missed += seq - stream.seq - 1;
      Object.assign(stream, { seq, at, time, value });
      stream.health.proof ??= this.now(); // its first value; the server's own word comes with the next tick
      this.#remember(stream, { seq, at, time, value });
      names.add(name);
      this.#say("update", update);
    }
    this.#unanswered = false;
    this.#say("change", { names: [...names] });
    this.#arrived(more);
  }

  /** @param {Stream} stream @param {Update} update */
  #remember({ history }, update) {
    if (history && history.push(update) > (this.#history ?? 0)) history.shift();
  }

  #describe(streams) {
    for (const [name, description] of Object.entries(streams)) if (description === null) this.streams.delete(name);
    const rest = Object.fromEntries(Object.entries(streams).filter(([, description]) => description !== null));
    this.#change(rest, (stream, description) => { stream.description = description; }, Object.keys(streams));
  }

  #journal({ state, since, error }) {
    const same = this.journal.state === state && this.journal.error === error;
    this.journal = { state, since, error };
    if (!same) this.#say("journal");
  }

  #ticked({ now, proof = {} }) {
    this.#line.calm(); // a link that lasted a tick is a good one; a server that dies after each hello is spared
    this.#correct(now);
    for (const [name, time] of Object.entries(proof)) {
      const stream = this.streams.get(name);
      if (stream) stream.health.proof = time;
    }
    if (this.#unanswered) this.#arrived(false); // an answer would have come first: there was nothing to say
    this.#unanswered = false;
    this.#say("tick");
  }

  #bye({ after }) {
    const [low, high] = Array.isArray(after) ? after : [];
    if (!(low >= 0 && high >= low)) return this.#line.lose();
    this.#line.lose(Math.min(PATIENCE, low + (high - low) * this.#random()));
  }

  /** Readings are late by their way here, never early: the greatest of the last few is the best. */
  #correct(now) {
    if (!Number.isFinite(now)) return;
    this.#readings = [...this.#readings, now - this.#clock()].slice(-READINGS);
    this.#offset = Math.max(...this.#readings);
  }

  #change(members, apply, names = Object.keys(members)) {
    for (const [name, member] of Object.entries(members)) apply(this.#stream(name), member);
    this.#say("change", { names });
  }

  /** @returns {Stream} */
  #stream(name) {
    const stream = this.streams.get(name) ?? this.#blank(name);
    this.streams.set(name, stream);
    return stream;
  }

  /** @returns {Stream} */
  #blank(name) {
    const stream = { name, description: {}, health: {}, seq: 0, missed: 0 };
    return this.#history ? { ...stream, history: [] } : stream;
  }

  /** @param {boolean} [more]  whether the newest is still to come */
  #arrived(more) {
    if (this.#line.up) this.#turn(more ? "catching-up" : "live"); // a listener may have selected something else meanwhile
  }

  #turn(status) {
    if (status === this.status || this.status === "closed") return; // a listener may have closed it meanwhile
    if (status === "live") this.#lost = null;
    this.status = status;
    this.#say("link");
  }

  #say(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** The WebSocket's address. @param {string|URL} [url] */
function address(url) {
  const address = new URL(url ?? new URL("ws", import.meta.url));
  address.protocol = address.protocol.replace("http", "ws");
  if (address.pathname === "/") address.pathname = "/ws";
  address.hash = "";
  return address;
}
