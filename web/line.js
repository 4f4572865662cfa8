/**
 * The line to the server: which way it goes, when it is dead, when to try again. What is said on it is for the link.
 *
 * A WebSocket is the better way, an event stream the one that always works: whichever says hello first is taken, and while
 * that is the event stream, a WebSocket is tried now and then, and takes over when it says hello. So a proxy that lets none
 * pass is not waited for, a server that is down is not taken for one, and a proxy that comes to its senses is noticed.
 */

import { openEvents, openSocket } from "./transport.js";

/** Silence that ends a line, in ticks: two missed ones, and a fifth for a busy machine. */
export const SILENCE = 2.2;
/** Seconds from an attempt's beginning to its hello. */
const HANDSHAKE = 10;
/** Seconds that a WebSocket has for its hello before an event stream is tried beside it: some proxies let upgrades hang. */
const HEADSTART = 4;
/**
 * Seconds before the next attempt: at random between the two; the longer is what doubles, from twice the shorter.
 * @type {[number, number]}
 */
const BACKOFF = [0.5, 20];
/** The same, before the next WebSocket is tried while an event stream serves. @type {[number, number]} */
const CLIMB = [2, 600];
/** Seconds between two looks at the clock, whatever is waited for: the machine may have slept. */
const PULSE = 1;
/** Seconds by which a look may come late, or the machine's clock go ahead, without sleep as the reason. */
const LEAP = 3;

/**
 * @typedef {import("./transport.js").Transport} Transport
 * @typedef {"socket"|"events"} Way
 *
 * @typedef {object} Ears
 * @property {() => URL} address  the WebSocket's, with all that is asked for
 * @property {(message: any) => void} take  what it throws ends the line
 * @property {(error: {code: string, message: string}) => void} refused
 * @property {() => void} lost  the line is dead; the next attempt is arranged
 */

export class Line {
  /** Seconds between two ticks of the server. */
  tick = 5;
  /** Our clock when it was last heard. */
  heard;

  #ears;
  #token;
  #api;
  /** What was opened and has not ended. @type {Record<Way, Transport|null>} */
  #ways = { socket: null, events: null };
  /** The one of them that said hello. @type {Transport|null} */
  #current = null;
  /** The latest hello came by an event stream: the next attempt begins with both ways. */
  #detour = false;
  /** Our clock when the other way is to be tried as well. */
  #otherAt = Infinity;
  #attempts = 0;
  #climbs = 0;
  /** Our clock when something is overdue, and what comes then. */
  #deadline = 0;
  /** @type {(late: boolean) => void} */
  #due = () => {};
  /** The one timer. @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /**
   * Nothing is opened yet.
   * @param {Ears} ears
   * @param {string|undefined} token
   * @param {{WebSocket: any, fetch: any, clock: () => number, random: () => number}} api
   */
  constructor(ears, token, api) {
    this.#ears = ears;
    this.#token = token;
    this.#api = api;
    this.heard = api.clock();
    globalThis.document?.addEventListener("visibilitychange", this.#look); // hidden pages have slow timers
  }

  /** Whether the server said hello, and is there still. */
  get up() {
    return this.#current !== null;
  }

  /** Whether an attempt is under way, or came to something. */
  get busy() {
    return Boolean(this.#ways.socket ?? this.#ways.events);
  }

  /** Begin an attempt: a WebSocket, and an event stream too if that fails, hesitates, or was no way the last time. */
  open() {
    this.#wait(HANDSHAKE, this.#overdue);
    if (this.#api.fetch) this.#otherAt = this.#api.clock() + HEADSTART;
    if (this.#detour) this.#enter("events");
    this.#enter("socket");
  }

  /** Give up what there is, without a word. */
  drop() {
    clearTimeout(this.#timer);
    this.#leave("socket");
    this.#leave("events");
    this.#current = null;
    this.#otherAt = Infinity;
  }

  /** Give it up, and come back. @param {number} [delay]  seconds */
  lose(delay = this.#pause(BACKOFF, ++this.#attempts)) {
    this.drop();
    this.#wait(delay, () => this.open());
    this.#ears.lost();
  }

  /** This server can be relied on: when it is lost, come back soon. */
  calm() {
    this.#attempts = 0;
  }

  /** @param {object} message  to whoever is there and listens */
  say(message) {
    this.#current?.say(message);
  }

  /** Leave nothing behind. */
  close() {
    this.drop();
    globalThis.document?.removeEventListener("visibilitychange", this.#look);
  }

  /** @param {Way} way */
  #enter(way) {
    if (this.#ways[way]) return;
    const ears = {
      hear: (text) => this.#hear(way, text),
      end: () => this.#ended(way),
      refused: this.#ears.refused,
    };
    const [open, api] = way === "socket" ? [openSocket, this.#api.WebSocket] : [openEvents, this.#api.fetch];
    try {
      this.#ways[way] = open(this.#ears.address(), this.#token, ears, api);
    } catch {
      this.#ended(way); // a page that came by https: may open no ws:
    }
  }

  /** @param {Way} way */
  #leave(way) {
    this.#ways[way]?.close();
    this.#ways[way] = null;
  }

  /** @param {Way} way */
  #ended(way) {
    const one = this.#ways[way];
    this.#leave(way);
    if (this.#current) {
      if (one === this.#current) this.lose();
    } else if (way === "socket" && this.#api.fetch) this.#enter("events");
    else if (!this.#ways.socket) this.lose();
  }

  /**
   * It said hello. A WebSocket goes on from the position that it was opened with: what the event stream told meanwhile comes
   * twice. One that was opened without any would begin anew; so when an event stream is first, it is left for another one.
   * @param {Way} way
   */
  #adopt(way) {
    this.#detour = way === "events";
    this.#leave(this.#detour ? "socket" : "events");
    this.#current = this.#ways[way];
    if (this.#detour) {
      this.#climb();
    } else {
      this.#otherAt = Infinity;
      this.#climbs = 0;
    }
    this.#wait(SILENCE * this.tick, this.#overdue);
  }

  #climb() {
    this.#otherAt = this.#api.clock() + this.#pause(CLIMB, ++this.#climbs);
  }

  #tryOther() {
    this.#otherAt = Infinity;
    if (!this.#current) return this.#enter("events");
    this.#climb();
    this.#leave("socket"); // the former one is silent still
    this.#enter("socket");
  }

  /**
   * At random, so that all who lost the same server do not come back at the same moment.
   * @param {[number, number]} range
   * @param {number} times  how often before
   */
  #pause([low, high], times) {
    // The exponent is bounded too: 2 ** 1024 is Infinity, and that is a year of attempts away, not never.
    const ceiling = Math.min(high, low * 2 ** Math.min(times, 30));
    return low + (ceiling - low) * this.#api.random();
  }

  /** @param {number} seconds @param {(late: boolean) => void} due */
  #wait(seconds, due) {
    this.#deadline = this.#api.clock() + seconds;
    this.#due = due;
    this.#look();
  }

  /** A timer is late after a sleep, and in a hidden page: only the clock says what is due. */
  #look = () => {
    clearTimeout(this.#timer);
    const now = this.#api.clock();
    const left = this.#deadline - now;
    if (left <= 0) return this.#due(left < -LEAP);
    this.#timer = setTimeout(this.#look, Math.min(left, PULSE) * 1000);
    if (now >= this.#otherAt) this.#tryOther();
  };

  /** Who slept does not believe what it has, and comes back at once. @param {boolean} late */
  #overdue = (late) => this.lose(late ? 0 : undefined);

  /** @param {Way} way @param {string} text */
  #hear(way, text) {
    const now = this.#api.clock();
    if (now >= this.#deadline) return this.lose(0); // we slept, and this may have waited for hours
    try {
      const message = JSON.parse(text);
      if (this.#ways[way] !== this.#current) {
        if (message.type !== "hello") return;
        this.#adopt(way);
      }
      this.heard = now;
      this.#ears.take(message);
      if (this.#due === this.#overdue) this.#deadline = now + SILENCE * this.tick; // unless that was its end
    } catch (error) {
      console.error("streamd: a message that cannot be understood", error);
      if (this.#ways[way]) this.#ended(way); // a listener may have left it
    }
  }
}

/**
 * A clock in seconds that nobody sets, and that goes on while the machine sleeps, as performance.now() does not everywhere.
 * When the machine's own clock leaps ahead, that was sleep; or somebody set it: then the next hello puts it right.
 * @returns {() => number}
 */
export function steadyClock() {
  let slept = 0;
  let drift = Date.now() - performance.now();
  return () => {
    const now = performance.now();
    const ahead = Date.now() - now - drift;
    if (ahead > LEAP * 1000) slept += ahead;
    drift += ahead;
    return (now + slept) / 1000;
  };
}
