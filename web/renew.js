/**
 * A new page for an old one: when the server has another, once a night, and when this one has grown too large. It is loaded
 * only after the whole new one was fetched, and shows the last picture until it has a newer one.
 */

/** Hours of the local night in which a page that has run for long renews itself, and how long that is, in seconds. */
const NIGHT = [3, 5];
const LONG = 12 * 3600;
/** Bytes of JavaScript's heap that are too many; browsers that do not say are trusted. */
const LARGE = 256 * 2 ** 20;
/** Seconds between two attempts. */
const AGAIN = 60;

/** The build of this page. @returns {string} */
export function build() {
  return own(document);
}

/**
 * Reload, if all of the new page can be had.
 * @param {string} [wanted]  the build that it has to be: something on the way may hand out the old one
 * @returns {Promise<boolean>}
 */
export async function renew(wanted) {
  try {
    const page = await (await fetched(document.location.href)).text();
    const parsed = new DOMParser().parseFromString(page, "text/html");
    if (wanted && own(parsed) !== wanted) return false;
    const links = [...parsed.querySelectorAll("link[href], script[src]")].map((each) => each.getAttribute("href") ?? each.getAttribute("src") ?? "");
    await Promise.all(links.map(fetched));
    document.location.reload();
    return true;
  } catch {
    return false; // it will be tried again; this page goes on
  }
}

/** Looks every minute whether this page is to be renewed. */
export class Renewal {
  #began = Date.now();
  /** A moment of the night of its own: not all walls at once. */
  #hour = NIGHT[0] + (NIGHT[1] - NIGHT[0]) * Math.random();
  #timer;
  /** The build to become; empty: this one is right. */
  #wanted = "";

  constructor() {
    this.#timer = setInterval(() => this.#look(), AGAIN * 1000);
  }

  /** What the server has now. @param {string} served */
  told(served) {
    this.#wanted = served === build() ? "" : served;
    if (this.#wanted) void renew(this.#wanted);
  }

  close() {
    clearInterval(this.#timer);
  }

  #look() {
    const now = new Date();
    const since = (now.getHours() + now.getMinutes() / 60 - this.#hour) * 3600;
    const night = Date.now() - this.#began > LONG * 1000 && since >= 0 && since < 2 * AGAIN;
    const heap = /** @type {any} */ (performance).memory?.usedJSHeapSize ?? 0;
    if (this.#wanted || night || heap > LARGE) void renew(this.#wanted);
  }
}

/** @param {Document} page */
function own(page) {
  return page.querySelector("meta[name=build]")?.getAttribute("content") ?? "";
}

async function fetched(url) {
  const answer = await fetch(url, { cache: "reload" });
  if (!answer.ok) throw new Error(`${answer.status} for ${url}`);
  await answer.clone().arrayBuffer();
  return answer;
}
