/** Reads the past, one request at a time, so that a wall of charts is no storm of requests; and follows a link. */

/** The most milliseconds for a read: a read that hangs must not delay the others. */
const PATIENCE = 10_000;

export class Reads {
  /** @type {((signal: AbortSignal) => Promise<void>)[]} */
  #waiting = [];
  #reading = false;
  #patience;

  /** @param {number} [patience]  in milliseconds, for tests */
  constructor(patience = PATIENCE) {
    this.#patience = patience;
  }

  /**
   * Read when all earlier reads are over.
   * @param {(signal: AbortSignal) => Promise<void>} read  the signal aborts a read that takes too long. After a failure its
   *   caller adds it again later; until then the picture has less, but nothing wrong.
   */
  add(read) {
    this.#waiting.push(read);
    if (!this.#reading) void this.#work();
  }

  /** Forget the reads that have not begun. */
  clear() {
    this.#waiting.length = 0;
  }

  async #work() {
    this.#reading = true;
    for (let read = this.#waiting.shift(); read; read = this.#waiting.shift()) {
      const abort = new AbortController();
      const late = new Promise((resolve) => abort.signal.addEventListener("abort", resolve));
      const timer = setTimeout(() => abort.abort(), this.#patience);
      await Promise.race([read(abort.signal).catch(() => {}), late]);
      clearTimeout(timer);
    }
    this.#reading = false;
  }
}

/**
 * Listen to the updates and changes of a link, until `signal` aborts.
 * @param {import("./link.js").Link} link
 * @param {AbortSignal} signal
 * @param {(update: any) => void} heard  called with each update
 * @param {(name: string) => void} changed  called with the name of each stream that changed
 */
export function follow(link, signal, heard, changed) {
  // One event for a message: a listener of "update" is called for each value, which costs more than what it does.
  link.addEventListener("change", (/** @type {any} */ { detail: { names, updates = [] } }) => {
    updates.forEach(heard);
    names.forEach(changed);
  }, { signal });
}
