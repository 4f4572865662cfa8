/**
 * streamd's client library: it keeps a page's copy of the streams current, for months, without help.
 *
 *     import { connect } from "http://wall.example:5000/streamd.js";
 *     const link = connect({ streams: ["orders", "db.*"] });
 *     link.addEventListener("update", ({ detail }) => console.log(detail.stream, detail.value));
 *
 * It speaks `streamd.v1` over a WebSocket. If a proxy blocks WebSockets, it reads the same messages from event streams:
 *
 *     <- hello     opens every connection: the streams, a position, the server's time. `more`: missed updates follow
 *     <- updates   new values. `more`: the newest value is still to come
 *     <- past      with `history`: the time before a stream's first update, as slots
 *     <- health    a stream is fresh, late or failed, and its value ok, warn or critical
 *     <- streams   new or changed descriptions. null: the stream is forgotten
 *     <- journal   whether the server can still read new values
 *     <- tick      the server's time and the latest proofs, every few seconds
 *     <- build     which page the server has
 *     <- configuration  which page and walls it has, and why its configuration file is not in use
 *     <- command   an order for this screen
 *     <- receipt   what this page published is in the log, or was refused
 *     <- error, bye
 *     -> publish   new values
 *     -> screen    what this screen shows, and up to which position
 *
 * The module is long because each message changes the same streams, position and status.
 *
 * Memory is bounded by the number of streams: the newest update of each, and as much history as the page asked for.
 * A message that cannot be understood breaks the link, because it may have carried a value. An unknown type or member does not.
 */

import { ServerClock, steadyClock } from "./clock.js";
import { Connection } from "./connection.js";
import { Publishing } from "./publishing.js";
import { beside, tokenHeaders } from "./transports.js";

/** Seconds between two ticks if the server does not say. */
const TICK = 5;
/** The longest wait in seconds that a server can ask for in its bye. */
const LONGEST_WAIT = 600;

/**
 * @typedef {object} Stream
 * @property {string} name
 * @property {Record<string, any>} description  title, unit, expect (seconds), words, format, … as docs/protocol.rst lists them
 * @property {{state?: "fresh"|"late"|"failed", level?: "ok"|"warn"|"critical", since?: number, proof?: number, error?: string}} health  error: why it is failed or late
 * @property {number} seq  0: no value yet
 * @property {string} [at]  its position in the log; opaque
 * @property {number} [time]  when the value was true, in seconds by the server's clock
 * @property {any} [value]
 * @property {any} [exact]  the value with a BigInt in place of each whole number of which a Number loses digits; undefined: none does
 * @property {number} missed  how many updates this page did not see, counted by the gaps in seq
 * @property {Update[]} [history]  with the option `history`: the latest updates, oldest first, the newest included
 * @property {Past} [past]  with the option `history`, and `rollup` in its description: what is known from before its updates
 *
 * @typedef {{seq: number, at: string, time: number, value: any, exact?: any}} Update
 *
 * @typedef {object} Past  times in seconds
 * @property {number} from
 * @property {number} to  the end of its slots; `history` also has updates from before this time
 * @property {number} width  of a slot
 * @property {[number, number, number, number, number][]} points  begin, lowest, mean, highest, last; see docs/protocol.rst for the rest
 *
 * @typedef {object} Configuration
 * @property {string} build  the server's page
 * @property {string} walls  its walls and screens
 * @property {{file: string, line: number|null, key: string, message: string}|null} trouble  why its configuration file is not in use
 *
 * @typedef {"connecting"|"catching-up"|"live"|"lost"|"closed"} Status
 *
 * @typedef {object} Options
 * @property {string|URL} [url]  the server; http(s) and ws(s) mean the same. Default: the server that this module came from.
 * @property {string[]} [streams]  names and globs. Left out: all streams. Empty: none.
 * @property {number} [history]  how many updates of each stream to keep, at least 1. Left out: the newest only.
 * @property {string} [token]  for servers that ask for one; it never becomes part of a URL or a message
 * @property {typeof WebSocket} [WebSocket]  for tests, and for environments that have none
 * @property {typeof fetch|null} [fetch]  null: never read an event stream
 * @property {() => number} [clock]  seconds on a monotonic clock that also counts sleep; see steadyClock
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
 * The page's end of the link. All properties are read-only for the page. Events:
 * - `update`: one new value; `detail` is `{stream, seq, at, time, value}`
 * - `change`: sent after each message that changed streams; `detail.names` lists them, forgotten ones included. `detail.updates` has
 *   the new values in the message, if there are any, as `update` has them
 * - `link`: `status` has changed; `journal`: `journal` has changed
 * - `tick`: the server is still there; `error`: the server refused something, `detail` is `{code, message}`
 * - `build`: `detail.build` names the server's page; `command`: `detail` is the message for this screen
 * - `configuration`: `detail` is `{build, walls, trouble}`, as docs/protocol.rst has it
 */
export class Link extends EventTarget {
  /** The streams by name, in the server's order. @type {Map<string, Stream>} */
  streams = new Map();
  /** The position up to which everything has arrived; null: nothing has. @type {string|null} */
  at = null;
  /** Values are current only while this is "live". @type {Status} */
  status = "connecting";
  /** @type {{state: "ok"|"away", since?: number, error?: string}} */
  journal = { state: "ok" };
  /** The server's latest `configuration` message. @type {Configuration} */
  configuration = { build: "", walls: "", trouble: null };

  #url;
  #selected;
  #history;
  #token;
  #fetch;
  #clock;
  #random;
  #connection;
  #publishing;
  #serverClock;
  /** True between a hello and the updates that follow it, or the tick if none follow. */
  #unanswered = false;
  #build = "";
  /** The time by our clock at which the streams were last known to be current; null: they are current now. @type {number|null} */
  #lost;

  /** @param {Options} options */
  constructor({
    url, streams, history, token,
    WebSocket = globalThis.WebSocket, fetch = globalThis.fetch, clock = steadyClock(), random = Math.random,
  }) {
    super();
    this.#url = socketUrl(url);
    this.#selected = streams;
    this.#history = history;
    this.#token = token;
    this.#fetch = fetch;
    this.#clock = clock;
    this.#random = random;
    this.#serverClock = new ServerClock(clock);
    this.#lost = clock();
    const listener = {
      address: () => this.#request(),
      message: (message) => this.#take(message),
      refused: (error) => this.#send("error", error),
      lost: () => this.#lose(),
    };
    const BroadcastChannel = globalThis.document && globalThis.BroadcastChannel; // other environments have no tabs
    this.#connection = new Connection(listener, token, { WebSocket, fetch, clock, random, BroadcastChannel });
    this.#publishing = new Publishing((message) => this.#connection.send(message));
    this.#connection.open();
  }

  /** The server's time, in seconds since the epoch. @returns {number} */
  now() {
    return this.#serverClock.now();
  }

  /**
   * The time since which the streams may be outdated, in seconds by the server's clock; null: they are current.
   * @returns {number|null}
   */
  get lostSince() {
    return this.#lost === null ? null : this.#serverClock.at(this.#lost);
  }

  /** Seconds between two ticks. @returns {number} */
  get tick() {
    return this.#connection.tick;
  }

  /** Whether a proxy seems to block WebSockets: event streams are used, and every WebSocket has failed. @returns {boolean} */
  get blocked() {
    return this.#connection.blocked;
  }

  /**
   * Read other streams from now on. A position belongs to its selection, so everything is read anew.
   * @param {string[]} [streams]  as for `connect`
   */
  select(streams) {
    this.#selected = streams;
    this.at = null;
    if (!this.#connection.busy) return; // it is closed, or the next attempt will ask for the new selection
    this.#connection.drop();
    this.#publishing.lost();
    this.#connection.open();
    if (this.status !== "live") return;
    this.#lost = this.#clock();
    this.#turn("catching-up");
  }

  /**
   * Tell the server what this screen shows. An event stream cannot carry the report, so it is dropped there.
   * @param {{name: string, wall?: string, delay?: number}} screen  its name, its wall, and how many seconds it lags
   */
  report({ name, wall, delay }) {
    this.#connection.send({ type: "screen", name, wall, at: this.at, delay });
  }

  /**
   * Publish values: all of them, or none if the server refuses one. Only a WebSocket can, and only with the right to publish.
   * @param {import("./publishing.js").PublishedUpdate[]} updates  at most 64 KiB
   * @param {{key?: string}} [options]  key: a message that is repeated with its key within five minutes is published once
   * @returns {Promise<import("./publishing.js").Receipt>}  settles once they are in the server's log
   * @throws {import("./publishing.js").PublishError}  with the server's code, "not-connected", or "lost": then the values may be
   *   in the log or not
   */
  publish(updates, { key } = {}) {
    return this.#publishing.publish(updates, key);
  }

  /**
   * Read the past of a stream from the server.
   * @param {string} name
   * @param {{from?: number|string, to?: number|string, points?: number, signal?: AbortSignal}} period  seconds since 1970, or "-24h" for
   *   before now; the signal ends the request
   * @returns {Promise<any>}  the JSON of GET /streams/NAME?from=&to=
   * @throws {Error}  the message has the server's reason; or says that it does not answer, or that another server does
   */
  async past(name, { from = "-24h", to, points = 500, signal } = {}) {
    const url = beside(this.#url, `streams/${encodeURIComponent(name)}`);
    url.search = "";
    for (const [key, value] of Object.entries({ from, to, points })) if (value !== undefined) url.searchParams.set(key, String(value));
    const get = this.#fetch ?? globalThis.fetch; // as a method of the link, the browser's fetch would refuse to run
    const answer = await get(url.href, { headers: tokenHeaders(this.#token), signal }).catch(() => null);
    if (!answer) throw new Error("The server does not answer");
    const told = await answer.json().catch(() => null); // only the server writes JSON
    if (told?.error) throw new Error(String(told.error.message));
    if (answer.ok && told) return told;
    throw new Error(`A proxy or a login answers in the server's place, with status ${answer.status}`);
  }

  /** Close the link for good. */
  close() {
    this.#connection.close();
    this.#publishing.lost();
    this.#turn("closed");
  }

  /** The WebSocket's address, with the selection and the position in its query. Stream names hold no comma. */
  #request() {
    const url = new URL(this.#url);
    if (this.#selected) url.searchParams.set("streams", this.#selected.join(","));
    if (this.#history) url.searchParams.set("history", String(this.#history));
    if (this.at !== null) url.searchParams.set("after", this.at);
    return url;
  }

  #lose() {
    this.#publishing.lost();
    this.#build = "";
    this.#lost ??= this.#connection.heard;
    this.#turn("lost");
  }

  #take(message) {
    switch (message.type) {
      case "hello": return this.#hello(message);
      case "updates": return this.#updates(message);
      case "past": return this.#past(message);
      case "health": return this.#change(message.health, (stream, health) => { stream.health = health ?? {}; });
      case "streams": return this.#describe(message.streams);
      case "journal": return this.#journal(message);
      case "tick": return this.#ticked(message);
      case "build": return this.#built(message);
      case "configuration": return this.#configured(message);
      case "command": return this.#send("command", message);
      case "receipt": return this.#publishing.answered(message);
      case "error": return this.#refused(message);
      case "bye": return this.#bye(message);
    }
  }

  #hello({ now, tick, at, resumed, more, streams = {}, health = {}, journal }) {
    this.#connection.tick = tick > 0 ? tick : TICK;
    this.#serverClock.forget();
    this.#serverClock.read(now);
    this.at = at ?? null;
    const before = this.streams;
    this.streams = new Map();
    for (const [name, description] of Object.entries(streams)) {
      const kept = resumed ? before.get(name) : undefined;
      this.streams.set(name, { ...(kept ?? this.#blank(name)), description, health: {} });
    }
    for (const [name, value] of Object.entries(health)) this.#stream(name).health = value ?? {};
    this.#journal(journal ?? { state: "ok" });
    this.#send("change", { names: [...new Set([...before.keys(), ...this.streams.keys()])] });
    // A resumed hello says whether updates follow. After any other hello they follow if there are streams.
    this.#unanswered = more ?? (!resumed && this.streams.size > 0);
    // A link that was live and resumes stays live: the missed updates follow at once.
    this.#arrived(this.#unanswered && !(resumed && this.status === "live"));
  }

  #updates({ updates, at, more }) {
    const names = new Set();
    const news = [];
    if (at) this.at = at;
    for (const update of updates) {
      const { stream: name, seq, at, time, value, exact } = update;
      const stream = this.#stream(name);
      if (seq <= stream.seq) continue; // the event stream sent it before the WebSocket took over
      if (stream.seq && seq > stream.seq + 1) stream.missed += seq - stream.seq - 1;
      Object.assign(stream, { seq, at, time, value, exact });
      stream.health.proof ??= this.now(); // for its first value only: the next tick brings the server's own proof
      this.#remember(stream, exact === undefined ? { seq, at, time, value } : { seq, at, time, value, exact });
      names.add(name);
      news.push(update);
      this.#send("update", update);
    }
    this.#unanswered = false;
    this.#send("change", { names: [...names], updates: news });
    this.#arrived(more);
  }

  /** Add an update to the history of its stream, if the page wants one. @param {Stream} stream @param {Update} update */
  #remember({ history }, update) {
    if (history && history.push(update) > (this.#history ?? 0)) history.shift();
  }

  /** Set the past of a stream, from a message. @param {{type: string, stream: string} & NonNullable<Stream["past"]>} message */
  #past({ type, stream: name, ...past }) {
    const stream = this.streams.get(name);
    if (!stream) return; // it was forgotten meanwhile
    stream.past = past;
    this.#send("change", { names: [name] });
  }

  #describe(streams) {
    for (const [name, description] of Object.entries(streams)) if (description === null) this.streams.delete(name);
    const rest = Object.fromEntries(Object.entries(streams).filter(([, description]) => description !== null));
    this.#change(rest, (stream, description) => { stream.description = description; }, Object.keys(streams));
  }

  #journal({ state, since, error }) {
    const same = this.journal.state === state && this.journal.error === error;
    this.journal = { state, since, error };
    if (!same) this.#send("journal");
  }

  #ticked({ now, proof = {} }) {
    this.#connection.calm(); // only a tick counts as success: a server that dies after each hello must not be hammered
    this.#serverClock.read(now);
    for (const [name, time] of Object.entries(proof)) {
      const stream = this.streams.get(name);
      if (stream) stream.health.proof = time;
    }
    if (this.#unanswered) this.#arrived(false); // updates come before the tick, so none follow
    this.#unanswered = false;
    this.#send("tick");
  }

  /** Report the server's build once for each connection: each event stream names it again. */
  #built({ build }) {
    if (build === this.#build) return;
    this.#build = build;
    this.#send("build", { build });
  }

  /** Pass on why the server refused the connection or a message. @param {{code: string, message: string}} error */
  #refused({ code, message }) {
    if (code === "signed-out") this.at = null; // the streams that may be read have changed
    this.#send("error", { code, message });
  }

  #configured({ build = "", walls = "", trouble = null }) {
    this.configuration = { build, walls, trouble };
    this.#send("configuration", this.configuration);
  }

  #bye({ after }) {
    const [low, high] = Array.isArray(after) ? after : [];
    if (!(low >= 0 && high >= low)) return this.#connection.lose();
    this.#connection.obey(Math.min(LONGEST_WAIT, low + (high - low) * this.#random()));
  }

  #change(members, apply, names = Object.keys(members)) {
    for (const [name, member] of Object.entries(members)) apply(this.#stream(name), member);
    this.#send("change", { names });
  }

  /** The stream with a name; a new one if there is none. @returns {Stream} */
  #stream(name) {
    const stream = this.streams.get(name) ?? this.#blank(name);
    this.streams.set(name, stream);
    return stream;
  }

  /** A stream of which nothing is known yet. @returns {Stream} */
  #blank(name) {
    const stream = { name, description: {}, health: {}, seq: 0, missed: 0 };
    return this.#history ? { ...stream, history: [] } : stream;
  }

  /** Note that a message has arrived. @param {boolean} [more]  whether the newest value is still to come */
  #arrived(more) {
    if (this.#connection.up) this.#turn(more ? "catching-up" : "live"); // a listener may have called select() meanwhile
  }

  #turn(status) {
    if (status === this.status || this.status === "closed") return; // a listener may have called close() meanwhile
    if (status === "live") this.#lost = null;
    this.status = status;
    this.#send("link");
  }

  #send(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * The WebSocket's address. This module is one folder below the server's root, hence "../ws".
 * @param {string|URL} [url]
 */
function socketUrl(url) {
  const address = new URL(url ?? new URL("../ws", import.meta.url));
  address.protocol = address.protocol.replace("http", "ws");
  if (address.pathname === "/") address.pathname = "/ws";
  address.username = address.password = address.hash = ""; // browsers refuse a WebSocket's address with a password
  return address;
}
