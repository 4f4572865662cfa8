/** What the page reads of the past, one read at a time (a wall of charts is no storm of requests), and how it follows a link. */

/** Milliseconds for a read: one that hangs must not hold up the rest. */
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
   * Read when the reads before are over.
   * @param {(signal: AbortSignal) => Promise<void>} read  the signal ends it when it takes too long. If it fails, whoever wants the answer
   *   asks again later: until then less is known, and nothing wrong.
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
 * Hear of what happens on a link, until `signal` aborts.
 * @param {import("./link.js").Link} link
 * @param {AbortSignal} signal
 * @param {(update: any) => void} heard  called with each update
 * @param {(name: string) => void} changed  called with the name of each stream that changed
 */
export function follow(link, signal, heard, changed) {
  link.addEventListener("update", (/** @type {any} */ { detail }) => heard(detail), { signal });
  link.addEventListener("change", (/** @type {any} */ { detail }) => detail.names.forEach(changed), { signal });
}
