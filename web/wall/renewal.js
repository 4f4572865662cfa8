/**
 * Renewal: the page reloads when the server has another build, once a night, and when it has grown too large. It reloads only
 * after it has fetched the whole new page, and the new page shows the last picture until it has a newer one.
 */

/** The hours of the night in local time, and the least seconds that a page must have run before it reloads at night. */
const NIGHT = [3, 5];
const LONG = 12 * 3600;
/**
 * The bytes of JavaScript's heap at which the page reloads. Only Chromium reports the size; in other browsers this does not
 * count.
 */
const LARGE = 256 * 2 ** 20;
/** Seconds between two attempts. */
const RETRY = 60;

/**
 * Reload, if the whole new page can be fetched.
 * @param {string} [wanted]  the build that the new page must have: a proxy may still hand out the old one
 * @returns {Promise<boolean>}  whether the page reloads
 */
export async function renew(wanted) {
  try {
    await /** @type {any} */ (globalThis).fetchPage(wanted); // of boot.js
    document.location.reload();
    return true;
  } catch {
    return false; // the old page goes on, and tries again
  }
}

/** Checks once a minute whether the page must reload. */
export class Renewal {
  #began = Date.now();
  /** The hour of the night at which this page reloads; random, so that not all walls reload at once. */
  #hour = NIGHT[0] + (NIGHT[1] - NIGHT[0]) * Math.random();
  #timer;
  /** The build to renew to; empty: the page is up to date. */
  #wanted = "";

  constructor() {
    this.#timer = setInterval(() => this.#look(), RETRY * 1000);
  }

  /** Note which build the server has. @param {string} served */
  told(served) {
    this.#wanted = served === buildOf(document) ? "" : served;
    if (this.#wanted) void renew(this.#wanted);
  }

  close() {
    clearInterval(this.#timer);
  }

  #look() {
    const now = new Date();
    const since = (now.getHours() + now.getMinutes() / 60 - this.#hour) * 3600;
    const night = Date.now() - this.#began > LONG * 1000 && since >= 0 && since < 2 * RETRY;
    const heap = /** @type {any} */ (performance).memory?.usedJSHeapSize ?? 0;
    if (this.#wanted || night || heap > LARGE) void renew(this.#wanted);
  }
}

/** The build that a page belongs to. @param {Document} page @returns {string} */
export function buildOf(page) {
  return page.querySelector("meta[name=build]")?.getAttribute("content") ?? "";
}
