/** Writes above and below the tiles: title, summary, clocks, the link's fuse, the band of a lost link, and the notice. */

import { SILENCE } from "../client/connection.js";
import { connected } from "../client/health.js";
import { addElement, byId, setData, setHidden, setProperty, setText } from "../page/dom.js";
import { clock, cut, duration } from "../text/format.js";
import { since as ago } from "../text/times.js";
import { languageOfWords, say } from "../text/words.js";
import { Fuse } from "./fuse.js";
import { askRefusal } from "./refusal.js";
import { fitNeeds, isCalm, needsOf } from "./summary.js";
import { Zones } from "./zones.js";

/** Seconds between two ticks, until the hello has the server's number. */
const TICK = 5;
/** The most characters of the notice. */
const LONGEST_NOTICE = 300;
/** Seconds for which a refusal counts as the reason for having no connection; attempts come more often. */
const REFUSED_FOR = 30;
/** Seconds between two requests for the reason of having no connection. */
const ASK_EVERY = 10;
/** The most needs that are named, and the room of the rest of the header: clock, margins and gaps, in em of the summary. */
const NAMED = 6;
const CLOCK = 8.5;
/** The lines of the summary on a phone. */
const LINES = 2;
/** The sizes of the summary and of the title, in u. */
const SIZE = { summary: 2.6, title: 3.1 };

/**
 * @typedef {object} Outline  of the wall below
 * @property {number} page  from 0
 * @property {number} pages
 * @property {boolean} urgent  whether any tile is critical
 * @property {boolean} empty  whether there are no tiles
 * @property {number} width  of the page, in u
 * @property {boolean} scrolls  whether it is a phone's
 * @property {import("./summary.js").Summed[]} tiles
 */

export class Header {
  #link;
  #configuration;
  #last;
  #fuse = new Fuse(byId("fuse"), byId("expiry"));
  /** The server's latest refusal, and when it came. */
  #refused = { text: "", at: -Infinity };
  /** Why the server refuses this page's WebSocket, or cannot be reached; empty: not known. */
  #foreign = "";
  #asked = -Infinity;
  /** The title of the document. */
  #called = "";
  #zones;
  /** The time of the server's latest message, on a monotonic clock. */
  #heard = seconds();
  #abort = new AbortController();

  /**
   * @param {import("../client/link.js").Link} link
   * @param {import("./configuration.js").WallConfiguration} configuration
   * @param {import("./last-picture.js").LastPicture|null} last  shown until the server answers
   */
  constructor(link, configuration, last) {
    this.#link = link;
    this.#configuration = configuration;
    this.#last = last;
    const { signal } = this.#abort;
    for (const type of ["link", "tick"]) link.addEventListener(type, () => this.#proved(), { signal });
    link.addEventListener("error", (/** @type {any} */ { detail }) => {
      this.#refused = { text: detail.message, at: seconds() };
    }, { signal });
    link.addEventListener("link", () => {
      if (link.status === "live") this.#refused.text = "";
      void this.#ask();
    }, { signal });
    this.#zones = nameWall(configuration);
    setText(byId("curl"), `curl -d 42 ${new URL("streams/orders", document.baseURI).href}`);
  }

  close() {
    this.#abort.abort();
    this.#fuse.out();
  }

  /** Name another wall. @param {import("./configuration.js").WallConfiguration} configuration */
  change(configuration) {
    this.#configuration = configuration;
    this.#zones = nameWall(configuration);
  }

  /** Write the texts for this moment. @param {Outline} outline */
  update({ page, pages, urgent, empty, width, scrolls, tiles }) {
    const { status } = this.#link;
    const now = this.#link.now();
    const lost = !connected(status);
    setData(document.body, "link", lost ? "lost" : status);
    if (lost) this.#lose(now);
    setText(byId("clock"), clock(now, now, this.#configuration));
    this.#zones.update(now);
    this.#summarize(tiles, now, this.#room(width, scrolls));
    setText(byId("pages"), pages > 1 ? say("pageOf", this.#configuration, { page: page + 1, pages }) : "");
    const title = `${lost ? "✕ " : urgent ? "■ " : ""}${byId("title").textContent} · streamd`;
    if (title !== this.#called) document.title = this.#called = title; // to ask the document costs as much as a tile
    setText(byId("notice"), cut(lost ? this.#reason() : this.#notice(), LONGEST_NOTICE));
    setHidden(byId("empty"), status !== "live" || !empty);
  }

  /** Name the things that need attention; or say that all is well, with the age of this knowledge. */
  #summarize(tiles, now, room) {
    const needs = needsOf(tiles, now, this.#configuration);
    const { shown, more } = fitNeeds(needs, room);
    const calm = { rank: "", name: "", text: isCalm(tiles) ? this.#calm() : "" };
    const rows = needs.length ? shown.slice(0, NAMED) : [calm];
    const rest = more + Math.max(0, shown.length - NAMED);
    writeNeeds(rest ? [...rows, { rank: "", name: "", text: say("more", this.#configuration, { count: rest }) }] : rows);
  }

  /** The room of the summary, in its em: beside title and clock, or on lines of its own. @param {number} width @param {boolean} scrolls */
  #room(width, scrolls) {
    const title = (byId("title").textContent ?? "").length;
    const all = (0.95 * width) / SIZE.summary;
    return scrolls ? LINES * 0.85 * all : all - CLOCK - (0.6 * title * SIZE.title) / SIZE.summary;
  }

  #calm() {
    return say("calm", this.#configuration, { time: ago(this.#heard, seconds(), this.#configuration) });
  }

  #lose(now) {
    this.#fuse.out();
    if (seconds() - this.#asked > ASK_EVERY) void this.#ask();
    const since = this.#link.lostSince ?? now;
    setText(byId("lost"), this.#lossText(since, now));
    setText(byId("lasting"), say("tryingAgain", this.#configuration, { time: duration(now - since, 2, this.#configuration) }));
  }

  #lossText(since, now) {
    const [key, time] = this.#link.at !== null ? ["connectionLost", since] : this.#last ? ["pictureOf", this.#last.time] : ["notConnectedSince", since];
    return say(key, this.#configuration, { time: clock(time, now, this.#configuration) });
  }

  /** The reason for having no connection, if it is known. */
  #reason() {
    const { text, at } = this.#refused;
    return (seconds() - at < REFUSED_FOR && text) || this.#foreign;
  }

  /** The most important text about more than one stream. */
  #notice() {
    const { state, error } = this.#link.journal;
    if (state === "away") return [say("cannotReceive", this.#configuration), error].filter(Boolean).join(": ");
    const { trouble } = this.#link.configuration;
    if (trouble) return troubleText(trouble, this.#configuration);
    const blocked = this.#link.blocked ? say("noWebSocket", this.#configuration, { url: new URL(".", document.baseURI).href }) : "";
    return this.#foreign || this.#refused.text || blocked || (error ?? this.#configuration.note ?? "");
  }

  async #ask() {
    this.#asked = seconds();
    this.#foreign = await askRefusal(this.#configuration);
  }

  /** Light the fuse anew: a tick came, or the link is live again. */
  #proved() {
    const { tick = TICK, status } = this.#link;
    const now = this.#link.now();
    this.#heard = seconds();
    if (connected(status)) this.#fuse.burn({ from: now, span: SILENCE * tick }, now);
  }
}

/**
 * Why the server's configuration file is not in use.
 * @param {import("../client/link.js").Configuration["trouble"] & {}} trouble
 * @param {import("../text/language.js").Place} place
 */
function troubleText({ file, line, key, message }, place) {
  const where = line === null ? file : say("atLine", place, { file, line });
  return say("notInUse", place, { reason: [where, key, message].filter(Boolean).join(": ") });
}

/** Seconds on a monotonic clock. */
function seconds() {
  return performance.now() / 1000;
}

/** Write the needs into the header. @param {{rank: string, name: string, text: string}[]} needs */
function writeNeeds(needs) {
  const summary = byId("summary");
  while (summary.children.length > needs.length) summary.lastElementChild?.remove();
  needs.forEach(({ rank, name, text }, i) => {
    const need = /** @type {HTMLElement} */ (summary.children[i] ?? makeNeed(summary));
    setData(need, "rank", rank);
    setText(need.children[0], name);
    setText(need.children[1], name && text ? ` ${text}` : text);
  });
}

function makeNeed(summary) {
  const need = addElement("span", "need", summary);
  addElement("b", "", need);
  addElement("span", "", need);
  return need;
}

/**
 * Write the header's texts about a wall.
 * @param {import("./configuration.js").WallConfiguration} configuration
 * @returns {Zones}
 */
function nameWall(configuration) {
  const { name, title } = configuration;
  // The wall of a server without configuration is called "all"; the server's address tells more.
  setText(byId("title"), name === title && name === "all" ? document.location.host : title);
  brand(configuration);
  translate(configuration);
  return new Zones(configuration.clocks ?? [], configuration);
}

/** Write the fixed texts of index.html in the wall's language. @param {import("../text/language.js").Place} place */
function translate(place) {
  document.documentElement.lang = languageOfWords(place);
  byId("tiles").ariaLabel = say("streams", place);
  setText(byId("lost"), say("notConnected", place));
  setText(byId("first"), say("noStreams", place));
  setText(byId("still"), say("standsStill", place));
}

/** Show the configuration's mark and accent. @param {import("./configuration.js").WallConfiguration} configuration */
function brand({ mark, accent }) {
  byId("mark").hidden = !mark;
  if (mark) setProperty(byId("mark"), "--mark", `url(${JSON.stringify(new URL(mark, document.baseURI).href)})`);
  setData(document.documentElement, "accent", accent ? "" : undefined);
  for (const [theme, colour] of Object.entries(accent ?? {})) setProperty(document.documentElement, `--accent-${theme}`, colour);
}
