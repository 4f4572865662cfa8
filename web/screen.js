/**
 * The screen that this wall is on: it has a name, tells the server what it shows, and does what it is told from afar.
 */

import { Renewal, renew } from "./renew.js";
import { write } from "./write.js";

/** Seconds between two reports, and for which a name is shown. */
const EVERY = 15;
const IDENTIFY = 15;

export class Screen {
  name;

  #link;
  #wall;
  #behind = 0;
  #timer;
  #shown;
  #renewal = new Renewal();
  #leave = new AbortController();

  /**
   * @param {import("./streamd.js").Link} link
   * @param {string} wall  its name
   */
  constructor(link, wall) {
    this.#link = link;
    this.#wall = wall;
    this.name = screenName();
    const { signal } = this.#leave;
    link.addEventListener("update", ({ detail }) => {
      if (link.status === "live") this.#behind = link.now() - detail.time; // what is caught up with was true long ago
    }, { signal });
    link.addEventListener("link", () => this.#report(), { signal });
    link.addEventListener("build", ({ detail }) => this.#renewal.told(detail.build), { signal });
    link.addEventListener("command", ({ detail }) => this.#obey(detail), { signal });
    this.#timer = setInterval(() => this.#report(), EVERY * 1000);
  }

  close() {
    this.#leave.abort();
    this.#renewal.close();
    clearInterval(this.#timer);
    clearTimeout(this.#shown);
    /** @type {HTMLElement} */ (document.getElementById("overlay")).hidden = true;
  }

  #report() {
    if (this.#link.status === "live") this.#link.report({ name: this.name, wall: this.#wall, delay: Math.max(0, Math.round(this.#behind * 1000) / 1000) });
  }

  #obey({ command, wall, message, for: seconds }) {
    if (command === "reload") void renew();
    else if (command === "identify") this.#show(this.name, IDENTIFY, "name");
    else if (command === "message") this.#show(message, seconds, "message");
    else if (command === "wall") {
      const { location } = document;
      location.search = new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(location.search)), wall }).toString();
    }
  }

  #show(text, seconds, kind) {
    const overlay = /** @type {HTMLElement} */ (document.getElementById("overlay"));
    write(overlay, text);
    overlay.dataset.kind = kind;
    overlay.hidden = false;
    clearTimeout(this.#shown);
    this.#shown = setTimeout(() => (overlay.hidden = true), seconds * 1000);
  }
}

/** What the address says, or a name that was made once and is kept. */
function screenName() {
  const given = new URLSearchParams(document.location.search).get("screen");
  if (given && /^[A-Za-z0-9][\w.-]{0,127}$/.test(given)) return given;
  const made = `screen-${Math.random().toString(36).slice(2, 6)}`;
  try {
    const kept = localStorage.getItem("streamd.screen") ?? made;
    localStorage.setItem("streamd.screen", kept);
    return kept;
  } catch {
    return made;
  }
}
