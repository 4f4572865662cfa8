/**
 * The connection to the server: which transport it uses, when it is dead, and when to try again. The link reads the messages.
 *
 * A WebSocket is cheaper, but some proxies block it; event streams always work. The transport whose hello comes first is used.
 * While event streams are used, a WebSocket is tried from time to time, and takes over at its hello. So a proxy that blocks
 * WebSockets costs no wait, and its repair is noticed. A server that is down is not mistaken for such a proxy.
 */

import { parseExact } from "./exact.js";
import { openEvents, openSocket } from "./transports.js";

/** The ticks of silence after which a connection ends: two missed ticks, and a fifth of one for a busy machine. */
export const SILENCE = 2.2;
/** The most seconds from the beginning of an attempt to its hello. */
const HANDSHAKE = 10;
/** Seconds until an event stream is tried beside a WebSocket without a hello: behind some proxies upgrades hang. */
const HEADSTART = 4;
/**
 * The shortest and the longest pause in seconds before the next attempt. A pause is drawn at random from the shortest up to a
 * limit, which starts at twice the shortest and doubles with each attempt, up to the longest.
 * @type {[number, number]}
 */
const BACKOFF = [0.5, 8];
/** The longest pause in seconds after an event of the browser: the network is back, or the page is visible again. */
const HURRY = 1;
/** The same as `BACKOFF`, before the next WebSocket is tried while an event stream is used. @type {[number, number]} */
const SOCKET_BACKOFF = [2, 600];
/** After this many failed WebSockets while an event stream is used, a proxy counts as blocking WebSockets. */
const BLOCKED = 2;
/** Seconds between two looks at the clock during any wait: the machine may have slept. */
const PULSE = 1;
/** A look that is later than this many seconds means that the machine has slept. */
const LEAP = 3;

/**
 * @typedef {import("./transports.js").Transport} Transport
 * @typedef {"socket"|"events"} Way
 *
 * @typedef {object} Listener
 * @property {() => URL} address  the WebSocket's, with its query
 * @property {(message: any) => void} message  takes a message; an exception from it ends the connection
 * @property {(error: {code: string, message: string}) => void} refused
 * @property {() => void} lost  called when the connection is dead and the next attempt is scheduled
 */

export class Connection {
  /** Seconds between two ticks of the server. */
  tick = 5;
  /** When the last message of the server came, in seconds on the option `clock`. */
  heard;

  #listener;
  #token;
  #api;
  /** The transports that are open. @type {Record<Way, Transport|null>} */
  #ways = { socket: null, events: null };
  /** The transport whose hello came first. @type {Transport|null} */
  #current = null;
  /** Whether the latest hello came by an event stream. Then the next attempt opens both transports at once. */
  #detour = false;
  /** When to try the other transport as well, by our clock. */
  #otherAt = Infinity;
  #attempts = 0;
  /** Whether the current wait is the one that the server asked for. */
  #ordered = false;
  #socketAttempts = 0;
  /** When the current wait ends, by our clock, and the function to call then. */
  #deadline = 0;
  /** @type {(late: boolean) => void} */
  #due = () => {};
  /** The only timer. @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /**
   * Opens nothing yet.
   * @param {Listener} listener
   * @param {string|undefined} token
   * @param {{WebSocket: any, fetch: any, clock: () => number, random: () => number, BroadcastChannel?: any}} api
   */
  constructor(listener, token, api) {
    this.#listener = listener;
    this.#token = token;
    this.#api = api;
    this.heard = api.clock();
    globalThis.document?.addEventListener("visibilitychange", this.#seen);
    globalThis.addEventListener?.("online", this.#hurry);
  }

  /** Whether a hello has come and the connection is not known to be lost. @returns {boolean} */
  get up() {
    return this.#current !== null;
  }

  /** Whether event streams are used, and every WebSocket has failed. @returns {boolean} */
  get blocked() {
    return this.up && this.#detour && this.#socketAttempts > BLOCKED;
  }

  /** Whether any transport is open. @returns {boolean} */
  get busy() {
    return Boolean(this.#ways.socket ?? this.#ways.events);
  }

  /**
   * Begin an attempt with a WebSocket. An event stream follows if the WebSocket fails or hesitates; if an event stream was used
   * last, both begin at once.
   */
  open() {
    this.#ordered = false;
    this.#wait(HANDSHAKE, this.#overdue);
    if (this.#api.fetch) this.#otherAt = this.#api.clock() + HEADSTART;
    if (this.#detour) this.#enter("events");
    this.#enter("socket");
  }

  /** Close all transports, without telling the listener. */
  drop() {
    clearTimeout(this.#timer);
    this.#leave("socket");
    this.#leave("events");
    this.#current = null;
    this.#otherAt = Infinity;
  }

  /** Close all transports, and schedule the next attempt. @param {number} [delay]  seconds */
  lose(delay = this.#pause(BACKOFF, ++this.#attempts)) {
    this.drop();
    this.#ordered = false;
    this.#wait(delay, () => this.open());
    this.#listener.lost();
  }

  /** Close all transports for the time that the server asked for. @param {number} delay  seconds */
  obey(delay) {
    this.lose(delay);
    this.#ordered = true;
  }

  /** Note that the connection works: after the next loss, retry soon. */
  calm() {
    this.#attempts = 0;
  }

  /** Send a message if the transport can. @param {object} message @returns {boolean} whether it could */
  send(message) {
    return this.#current?.send(message) ?? false;
  }

  /** Close for good. */
  close() {
    this.drop();
    globalThis.document?.removeEventListener("visibilitychange", this.#seen);
    globalThis.removeEventListener?.("online", this.#hurry);
  }

  /** Open a transport, unless it is open already. @param {Way} way */
  #enter(way) {
    if (this.#ways[way]) return;
    const receiver = {
      receive: (text) => this.#receive(way, text),
      end: () => this.#ended(way),
      refused: this.#listener.refused,
    };
    try {
      this.#ways[way] = (way === "socket" ? openSocket : openEvents)(this.#listener.address, this.#token, receiver, this.#api);
    } catch {
      this.#ended(way); // an https: page may not open ws:
    }
  }

  /** Close a transport. @param {Way} way */
  #leave(way) {
    this.#ways[way]?.close();
    this.#ways[way] = null;
  }

  /**
   * React to the end of a transport: try the event stream instead of a WebSocket that never opened, or reconnect.
   * @param {Way} way
   */
  #ended(way) {
    const ended = this.#ways[way];
    this.#leave(way);
    if (this.#current) {
      if (ended === this.#current) this.lose();
    } else if (way === "socket" && this.#api.fetch) this.#enter("events");
    else if (!this.#ways.socket) this.lose();
  }

  /**
   * Use the transport whose hello has come.
   *
   * A WebSocket that takes over resumes from the position it was opened with, so some updates come twice. When an event stream
   * is first, the WebSocket is closed and opened again later: it was opened without a position and would start anew.
   * @param {Way} way
   */
  #adopt(way) {
    this.#detour = way === "events";
    this.#leave(this.#detour ? "socket" : "events");
    this.#current = this.#ways[way];
    if (this.#detour) {
      this.#scheduleSocket();
    } else {
      this.#otherAt = Infinity;
      this.#socketAttempts = 0;
    }
    this.#wait(SILENCE * this.tick, this.#overdue);
  }

  #scheduleSocket() {
    this.#otherAt = this.#api.clock() + this.#pause(SOCKET_BACKOFF, ++this.#socketAttempts);
  }

  #tryOther() {
    this.#otherAt = Infinity;
    if (!this.#current) return this.#enter("events");
    this.#scheduleSocket();
    this.#leave("socket"); // the previous attempt has not answered
    this.#enter("socket");
  }

  /**
   * A random pause in seconds, so that all pages that lost the same server do not come back at the same moment.
   * @param {[number, number]} range
   * @param {number} attempts  how many attempts have failed
   */
  #pause([low, high], attempts) {
    // The exponent is bounded: after a year of attempts 2 ** 1024 would be Infinity, and the pause NaN.
    const limit = Math.min(high, low * 2 ** Math.min(attempts, 30));
    return low + (limit - low) * this.#api.random();
  }

  /**
   * Call `due` after some seconds, instead of what was due before.
   * @param {number} seconds
   * @param {(late: boolean) => void} due
   */
  #wait(seconds, due) {
    this.#deadline = this.#api.clock() + seconds;
    this.#due = due;
    this.#look();
  }

  /** Try again soon: an earlier attempt may hang, and a pause may be long. A wait that the server asked for is kept. */
  #hurry = () => {
    if (this.#current || this.#ordered) return this.#look();
    this.drop();
    this.#wait(HURRY * this.#api.random(), () => this.open());
  };

  /** A hidden page's timers are slow. */
  #seen = () => (globalThis.document?.visibilityState === "visible" ? this.#hurry() : this.#look());

  /** Timers are late after sleep and in hidden pages, so only the clock decides what is due. */
  #look = () => {
    clearTimeout(this.#timer);
    const now = this.#api.clock();
    const left = this.#deadline - now;
    if (left <= 0) return this.#due(left < -LEAP);
    this.#timer = setTimeout(this.#look, Math.min(left, PULSE) * 1000);
    if (now >= this.#otherAt) this.#tryOther();
  };

  /** The server has been silent for too long. After sleep the next attempt comes at once. @param {boolean} late */
  #overdue = (late) => this.lose(late ? 0 : undefined);

  /** Handle a message; the first hello decides which transport stays. @param {Way} way @param {string} text */
  #receive(way, text) {
    const now = this.#api.clock();
    if (now >= this.#deadline) return this.lose(0); // the machine slept, and this message may be hours old
    try {
      const message = parseExact(text);
      if (this.#ways[way] !== this.#current) {
        if (message.type !== "hello") return;
        this.#adopt(way);
      }
      this.heard = now;
      this.#listener.message(message);
      if (this.#due === this.#overdue) this.#deadline = now + SILENCE * this.tick; // a bye has scheduled something else
    } catch (error) {
      console.error("streamd: a message that cannot be understood", error);
      if (this.#ways[way]) this.#ended(way); // a listener may have closed it
    }
  }
}
