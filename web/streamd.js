/**
 * streamd's client: keeps a page's copy of the streams current, for months, by itself.
 *
 *     import { connect } from "http://wall.example:5000/streamd.js";
 *     const link = connect({ streams: ["orders", "db.*"] });
 *     link.addEventListener("update", ({ detail }) => console.log(detail.stream, detail.value));
 *
 * It speaks `streamd.v1` over a WebSocket, and only listens:
 *
 *     <- hello     who is there, from which position on, the server's time; opens every connection. `more`: what was missed follows
 *     <- updates   new values; `more`: the newest is not among them yet
 *     <- health    fresh, late or failed; ok, warn or critical
 *     <- streams   new or other descriptions; null: forgotten
 *     <- journal   whether the server itself can still hear what is new
 *     <- tick      the server's time and the latest proofs, every few seconds
 *     <- error, bye
 *
 * Memory is bounded by the number of streams: of each, the newest update only.
 * A message that cannot be understood breaks the link (it may have carried a value); an unknown kind of message or key does not.
 */

/** Seconds between ticks when the server does not say. */
const TICK = 5;
/** Silence that ends a link, in ticks: two missed ones, and a fifth for a busy machine. */
const SILENCE = 2.2;
/** Seconds from opening a socket to its hello. */
const HANDSHAKE = 10;
/** Seconds before the next attempt: at random between the two; the longer is what doubles, from twice the shorter. */
const BACKOFF = [0.5, 20];
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
 *
 * @typedef {"connecting"|"catching-up"|"live"|"lost"|"closed"} Status
 *
 * @typedef {object} Options
 * @property {string|URL} [url]  the server; http(s) and ws(s) alike. Default: where this module came from.
 * @property {string[]} [streams]  names and globs; all when left out, none when empty
 * @property {typeof WebSocket} [WebSocket]  for tests, and for where there is none
 * @property {() => number} [clock]  seconds, monotonic
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
  #WebSocket;
  #clock;
  #random;
  /** @type {WebSocket|null} */
  #socket = null;
  /** The one timer: silence while there is a socket, the next attempt while there is none. */
  #timer;
  #attempt = 0;
  #tick = TICK;
  /** Between a hello and the updates, or the tick without any, that follow it. */
  #unanswered = false;
  /** Server's clock minus ours, as last read. @type {number[]} */
  #readings = [];
  #offset;
  #heard;
  /** Our clock when the picture was last known to be current; null: it is. @type {number|null} */
  #lost;

  /** @param {Options} options */
  constructor({ url, streams, WebSocket = globalThis.WebSocket, clock = () => performance.now() / 1000, random = Math.random }) {
    super();
    this.#url = address(url, streams);
    this.#WebSocket = WebSocket;
    this.#clock = clock;
    this.#random = random;
    this.#offset = Date.now() / 1000 - clock(); // the best guess until the server has spoken
    this.#heard = this.#lost = clock();
    this.#open();
  }

  /** The server's clock, in seconds since the epoch. @returns {number} */
  now() {
    return this.#clock() + this.#offset;
  }

  /** Since when the picture is not known to be current, by the server's clock; null while it is. @returns {number|null} */
  get lostSince() {
    return this.#lost === null ? null : this.#lost + this.#offset;
  }

  /** Leave, for good. */
  close() {
    this.#drop();
    this.#turn("closed");
  }

  #open() {
    if (this.at !== null) this.#url.searchParams.set("after", this.at);
    const socket = new this.#WebSocket(this.#url.href, ["streamd.v1"]);
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = () => this.#lose();
    this.#socket = socket;
    this.#wait(HANDSHAKE, () => this.#lose());
  }

  /** Forget the socket at once: on a dead link its own close event may take minutes. */
  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** The link is gone; come back after `delay` seconds. */
  #lose(delay = this.#backoff()) {
    if (this.status === "closed") return;
    this.#drop();
    this.#lost ??= this.#heard;
    this.#wait(delay, () => this.#open());
    this.#turn("lost");
  }

  #backoff() {
    const [low, high] = BACKOFF;
    // The exponent is bounded too: 2 ** 1024 is Infinity, and that is a year of attempts away, not never.
    const ceiling = Math.min(high, low * 2 ** Math.min(++this.#attempt, 30));
    return low + (ceiling - low) * this.#random();
  }

  #wait(seconds, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, seconds * 1000);
  }

  #receive(text) {
    this.#heard = this.#clock();
    this.#wait(SILENCE * this.#tick, () => this.#lose());
    try {
      this.#take(JSON.parse(text));
    } catch (error) {
      console.error("streamd: a message that cannot be understood", error);
      this.#lose();
    }
  }

  #take(message) {
    switch (message.type) {
      case "hello": return this.#hello(message);
      case "updates": return this.#updates(message);
      case "health": return this.#change(message.health, (stream, health) => { stream.health = health ?? {}; });
      case "streams": return this.#describe(message.streams);
      case "journal": return this.#journal(message);
      case "tick": return this.#ticked(message);
      case "error": return this.#say("error", { code: message.code, message: message.message });
      case "bye": return this.#bye(message);
    }
  }

  #hello({ now, tick, at, resumed, more, streams = {}, health = {}, journal }) {
    this.#tick = tick > 0 ? tick : TICK;
    this.#readings = [];
    this.#correct(now);
    this.at = at ?? null;
    const before = this.streams;
    this.streams = new Map();
    for (const [name, description] of Object.entries(streams)) {
      const kept = resumed ? before.get(name) : undefined;
      this.streams.set(name, { ...(kept ?? blank(name)), description, health: {} });
    }
    for (const [name, value] of Object.entries(health)) this.#stream(name).health = value ?? {};
    this.#journal(journal ?? { state: "ok" });
    this.#say("change", { names: [...new Set([...before.keys(), ...this.streams.keys()])] });
    // A resumed hello says whether there is anything to catch up with; after any other, what there is follows.
    this.#unanswered = more ?? (!resumed && this.streams.size > 0);
    this.#turn(this.#unanswered ? "catching-up" : "live");
  }

  #updates({ updates, at, more }) {
    const names = new Set();
    for (const update of updates) {
      const { stream: name, seq, at, time, value } = update;
      const stream = this.#stream(name);
      if (stream.seq && seq > stream.seq + 1) stream.missed += seq - stream.seq - 1;
      Object.assign(stream, { seq, at, time, value });
      names.add(name);
      this.#say("update", update);
    }
    if (at) this.at = at;
    this.#unanswered = false;
    this.#say("change", { names: [...names] });
    this.#turn(more ? "catching-up" : "live");
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
    this.#attempt = 0; // a link that lasted a tick is a good one; a server that dies after each hello is spared
    this.#correct(now);
    for (const [name, time] of Object.entries(proof)) {
      const stream = this.streams.get(name);
      if (stream) stream.health.proof = time;
    }
    if (this.#unanswered) this.#turn("live"); // an answer would have come first: there was nothing to say
    this.#unanswered = false;
    this.#say("tick");
  }

  #bye({ after }) {
    const [low, high] = Array.isArray(after) ? after : [];
    if (!(low >= 0 && high >= low)) return this.#lose();
    this.#lose(Math.min(PATIENCE, low + (high - low) * this.#random()));
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
    const stream = this.streams.get(name) ?? blank(name);
    this.streams.set(name, stream);
    return stream;
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

/** @returns {Stream} */
function blank(name) {
  return { name, description: {}, health: {}, seq: 0, missed: 0 };
}

/** The WebSocket's address; a name of stream cannot hold a comma. */
function address(url, streams) {
  const address = new URL(url ?? new URL("ws", import.meta.url));
  address.protocol = address.protocol.replace("http", "ws");
  if (address.pathname === "/") address.pathname = "/ws";
  address.hash = "";
  if (streams) address.searchParams.set("streams", streams.join(","));
  return address;
}
