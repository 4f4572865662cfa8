/** Two clocks: one that never goes back, and the server's. */

/** Seconds by which the machine's clock may run ahead of the page's timer before that counts as sleep. */
const LEAP = 3;
/** How many of the latest readings of the server's clock count. */
const READINGS = 6;

/**
 * A monotonic clock in seconds that also counts the time during which the machine sleeps.
 *
 * performance.now() stops during sleep on some systems, and Date.now() can be set. When Date.now() leaps ahead of
 * performance.now(), this clock takes that for sleep. If the clock was set instead, the next hello corrects the offset.
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

/** The server's clock, estimated from its messages. Times are in seconds since the epoch. */
export class ServerClock {
  #clock;
  /** The server's clock minus ours, one for each of the latest messages with a time. @type {number[]} */
  #readings = [];
  /** The latest time that the server sent. */
  #latest = -Infinity;
  #offset;

  /** @param {() => number} clock  our own clock, in seconds */
  constructor(clock) {
    this.#clock = clock;
    this.#offset = Date.now() / 1000 - clock(); // the best guess until the server has sent a time
  }

  /** The server's time now. @returns {number} */
  now() {
    return this.at(this.#clock());
  }

  /** Convert a time of our clock to the server's clock. @param {number} moment @returns {number} */
  at(moment) {
    return moment + this.#offset;
  }

  /** Drop all readings: a new connection may lead to another machine. */
  forget() {
    this.#readings = [];
    this.#latest = -Infinity;
  }

  /**
   * Read the server's clock from a message.
   *
   * A message takes time to arrive, so a reading is never too high. The highest of the last few has travelled the shortest time.
   * Messages arrive in order, so a time before the latest one means that the clock was set back.
   * @param {unknown} now  the time in the message; anything but a finite number is ignored
   */
  read(now) {
    if (!Number.isFinite(now)) return;
    if (Number(now) < this.#latest) this.#readings = [];
    this.#latest = Number(now);
    this.#readings = [...this.#readings, Number(now) - this.#clock()].slice(-READINGS);
    this.#offset = Math.max(...this.#readings);
  }
}
