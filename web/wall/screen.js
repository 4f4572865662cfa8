/** The screen that shows this wall. It has a name, reports its state to the server, and obeys the server's commands. */

import { byId, setData, setProperty, setText } from "../page/dom.js";
import { isName } from "../text/names.js";
import { Renewal, renew } from "./renewal.js";

/** Seconds between two reports; and seconds for which a screen shows its name. */
const REPORT_EVERY = 15;
const IDENTIFY = 15;
/** The most milliseconds until an answer. */
const TIMEOUT = 10_000;

export class Screen {
  name;

  #link;
  #wall;
  /** The age of the newest value when it came, in seconds. */
  #delay = 0;
  /** The least seconds of a message on its way from the server. The link's idea of the server's clock lags by the same time. */
  #transport = 0;
  #timer;
  /** The message and the name on the screen, and the end of each by performance.now(). */
  #message = storedMessage();
  #called = { text: "", until: 0 };
  #turn;
  #moved;
  #renewal = new Renewal();
  #abort = new AbortController();

  /**
   * @param {import("../client/link.js").Link} link
   * @param {string} wall  its name
   * @param {() => void} [moved]  called when a line below the wall appears or disappears
   * @param {string} [name]  as the server knows it: a screen with a grant has the name of its grant
   */
  constructor(link, wall, moved = () => {}, name = screenName()) {
    this.name = name;
    this.#link = link;
    this.#wall = wall;
    this.#moved = moved;
    const { signal } = this.#abort;
    link.addEventListener("change", (/** @type {any} */ { detail: { updates = [] } }) => {
      if (updates.length && link.status === "live") this.#delay = link.now() - updates[updates.length - 1].time; // while catching up, values are old by design
    }, { signal });
    link.addEventListener("link", () => {
      this.#report();
      if (link.status === "live") void this.#measure();
    }, { signal });
    link.addEventListener("build", (/** @type {any} */ { detail }) => this.#renewal.told(detail.build), { signal });
    link.addEventListener("configuration", (/** @type {any} */ { detail }) => this.#renewal.told(detail.build), { signal });
    link.addEventListener("command", (/** @type {any} */ { detail }) => this.#obey(detail), { signal });
    this.#timer = setInterval(() => this.#report(), REPORT_EVERY * 1000);
    this.#show();
  }

  close() {
    this.#abort.abort();
    this.#renewal.close();
    clearInterval(this.#timer);
    clearTimeout(this.#turn);
    byId("overlay").hidden = byId("line").hidden = true;
  }

  /** Report another wall. @param {string} wall */
  change(wall) {
    this.#wall = wall;
    this.#report();
  }

  #report() {
    if (this.#link.status !== "live") return;
    const delay = Math.round((Math.max(0, this.#delay) + this.#transport) * 1000) / 1000;
    this.#link.report({ name: this.name, wall: this.#wall, delay });
  }

  /** Measure half of a round trip. The first request opens a connection, so the second one is measured. */
  async #measure() {
    try {
      let began = 0;
      for (let i = 0; i < 2; i++) {
        began = performance.now();
        await fetch("walls", { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(TIMEOUT) });
      }
      this.#transport = (performance.now() - began) / 2000;
      this.#report();
    } catch {
      // The next time that the link comes to life measures again.
    }
  }

  #obey({ command, wall, message, for: seconds, as }) {
    if (command === "reload") void renew();
    else if (command === "wall") showWall(wall);
    else if (command === "playlist") showPlaylist();
    else if (command === "identify") this.#called = { text: this.name, until: performance.now() + IDENTIFY * 1000 };
    else if (command === "message") {
      storeMessage(message, seconds, as);
      this.#message = storedMessage();
      this.#called.until = 0;
    }
    this.#show();
  }

  /** Show the name or the message until its end; the name comes first. */
  #show() {
    clearTimeout(this.#turn);
    const now = performance.now();
    const shown = [this.#called, this.#message].find(({ until }) => until > now);
    const text = shown?.text.trim() ? shown.text : ""; // a message of spaces withdraws the one before
    const isLine = shown === this.#message && this.#message.as === "line";
    this.#overlay(isLine ? "" : text, shown === this.#called ? "name" : "message");
    this.#line(isLine ? text : "");
    if (!shown) return;
    this.#turn = setTimeout(() => this.#show(), shown.until - now);
  }

  /** Cover the wall with a text. @param {string} text  empty: uncover it @param {"name"|"message"} kind */
  #overlay(text, kind) {
    const overlay = byId("overlay");
    overlay.hidden = !text;
    if (!text) return;
    setText(overlay, text);
    setData(overlay, "kind", kind);
    // A character's area shrinks with their number, so that the longest message of 500 fits.
    setProperty(overlay, "--size", String(Math.min(9, 80 / Math.sqrt(text.length))));
  }

  /** Write a line below the wall. @param {string} text empty: remove the line */
  #line(text) {
    const line = byId("line");
    if (line.hidden === !text && line.textContent === text) return;
    line.hidden = !text;
    setText(line, text);
    this.#moved();
  }
}

/**
 * Keep a message over a reload of the page, in the history's state, because the storage may be blocked.
 * @param {string} text
 * @param {number} seconds  for which it is shown
 * @param {"screen"|"line"} [as]
 */
function storeMessage(text, seconds, as) {
  history.replaceState({ ...history.state, message: { text, seconds, as, until: Date.now() + seconds * 1000 } }, "");
}

/** The message that was stored last, with its end by performance.now(). Setting the clock does not make it last longer. */
function storedMessage() {
  const { text = "", seconds = 0, until = 0, as = "screen" } = history.state?.message ?? {};
  return { text, as, until: performance.now() + Math.min(seconds * 1000, until - Date.now()) };
}

/** Reload the page with another wall. A link would forget the history's state. @param {string} wall */
function showWall(wall) {
  const { location } = document;
  const query = new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(location.search)), wall });
  history.replaceState({ ...history.state, commanded: wall }, "", `?${query}`);
  location.reload();
}

/** Reload the page with the walls of its playlist, after a command for another wall. */
function showPlaylist() {
  history.replaceState({ ...history.state, commanded: undefined }, "");
  document.location.reload();
}

/** Whether a command has put the wall into the address. That wall then comes before the screen's playlist. */
export function isCommanded() {
  return !!history.state?.commanded && history.state.commanded === new URLSearchParams(document.location.search).get("wall");
}

/** The name in the page's address, or a name that is made once and stored. */
export function screenName() {
  const given = new URLSearchParams(document.location.search).get("screen");
  if (given && isName(given)) return given;
  const made = `screen-${Math.random().toString(36).slice(2, 6)}`;
  try {
    const kept = localStorage.getItem("streamd.screen") ?? made;
    localStorage.setItem("streamd.screen", kept);
    return kept;
  } catch {
    // The storage is blocked. The window's name survives a reload, though not a start of the browser.
    if (!isName(window.name)) window.name = made;
    return window.name;
  }
}
