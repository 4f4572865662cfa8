/** A wall without a server: the real modules of the page, and a link that says what a test wants. */

import { Wall } from "/wall/wall.js";
import { Tile } from "/wall/tile.js";
import { collect, faultsOf } from "./audit.js";
import { HOSTILE, NOW, PLAIN } from "./samples.js";
import { KINDS } from "/kinds/kind.js";

customElements.define("wall-tile", Tile);

const DAY = 24 * 3600;
const SLOTS = 96;

/** What each state makes of a link, and of the health of all streams. */
const STATES = {
  fresh: {},
  late: { health: { state: "late", proof: NOW - 300, since: NOW - 240 } },
  failed: { health: { state: "failed", since: NOW - 240, error: "connection refused: the database db-1.example does not answer" } },
  waiting: { seq: 0 },
  warning: { health: { level: "warn", since: NOW - 1200 } },
  critical: { health: { level: "critical", since: NOW - 1200 } },
  lost: { status: "lost" },
  "catching up": { status: "catching-up" },
};

/** @type {Wall|null} */
let wall = null;
/** @type {any} */
let link = null;
/** @type {any} */
let collected = null;

class StillLink extends EventTarget {
  at = "1-1";
  journal = { state: "ok" };
  configuration = { build: "", walls: "", trouble: null };
  tick = 5;

  constructor(streams, status) {
    super();
    this.streams = streams;
    this.status = status;
    this.lostSince = status === "live" ? null : NOW - 180;
  }

  now() {
    return NOW;
  }

  /** A day that goes up and down around the newest value, with a warning in it. */
  async past(name, { from, to = NOW }) {
    const { value, seq } = this.streams.get(name);
    const width = (to - from) / SLOTS;
    const points = typeof value === "number" && Number.isFinite(value) ? Array.from({ length: SLOTS }, (_, i) => wave(value, from + i * width)) : [];
    return { from, to, width, seq, points, levels: [[from + 0.3 * (to - from), from + 0.4 * (to - from), "warn"]], silences: [] };
  }
}

/** A slot: its begin, the lowest, the mean, the highest and the last number. */
function wave(value, time) {
  const mean = value * (0.8 + 0.2 * Math.cos(((NOW - time) / DAY) * 6 * Math.PI));
  return [time, mean * 0.97, mean, mean * 1.03, mean];
}

// What the wall reads of a stream's updates.
window.fetch = async (address) => {
  const name = decodeURIComponent(String(address).split("?")[0].split("/").pop() ?? "");
  const stream = link?.streams.get(name);
  if (!stream?.seq) return new Response("{}", { status: 404 });
  const history = Array.from({ length: 12 }, (_, i) => ({ seq: i + 1, time: NOW - 2 - (11 - i) * 300, value: former(stream.value, 11 - i) }));
  return new Response(JSON.stringify({ history, silences: [] }));
};

function former(value, ago) {
  return typeof value === "number" ? wave(value, NOW - ago * 300)[2] : value;
}

/** The names of all kinds. */
export function kinds() {
  return [...KINDS.keys()];
}

/**
 * Show the samples of all kinds but some in one state.
 * @param {{state: string, theme: string, values: "plain"|"hostile", without: string[]}} wanted
 * @returns {Promise<number>}  how many pages the wall has
 */
export async function show({ state, theme, values, without }) {
  wall?.close();
  await document.fonts.load('16px "Wall"');
  const { health = {}, seq = 12, status = "live" } = STATES[state];
  const samples = Object.entries(values === "plain" ? PLAIN : HOSTILE).filter(([kind]) => !without.includes(kind));
  const streams = new Map();
  const tiles = samples.flatMap(([kind, cases]) => cases.map((sample, i) => {
    const names = sample.values.map((value, j) => {
      const name = `${kind}.${i}.${j}`;
      const proof = { state: "fresh", level: "ok", since: NOW - 500, proof: NOW - 2, ...health };
      const description = { title: sample.titles?.[j], expect: 60, warn: "> 40", critical: "> 80", ...sample.description };
      streams.set(name, { name, description, health: proof, seq, time: NOW - 2, value: seq ? value : undefined, missed: 0 });
      return name;
    });
    return { ...(names.length > 1 ? { streams: names } : { stream: names[0] }), title: sample.title ?? `${kind} ${i + 1}`, show: kind, ...sample.tile };
  }));
  link = new StillLink(streams, status);
  document.body.dataset.link = status === "live" ? "live" : status;
  wall = new Wall(link, { name: "looks", title: "Looks", theme, rotate: 3600, tiles, language: "en", timezone: "Europe/Berlin" });
  await settle();
  return wall.pages;
}

/** Show the next page. */
export async function turn() {
  wall?.page(1);
  await settle();
}

/** Wait until all that was read is drawn. */
async function settle() {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 20)));
    link.dispatchEvent(new Event("journal"));
  }
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
}

/** Read all texts, and then hide them: the next picture is of what is behind them. */
export function bare() {
  collected = collect();
  document.documentElement.dataset.bare = "";
}

/** The faults of what is shown. @param {string} picture  the page without its texts, as a PNG in base64 */
export async function audit(picture) {
  const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(bitmap, 0, 0);
  const faults = faultsOf(collected, context.getImageData(0, 0, canvas.width, canvas.height));
  delete document.documentElement.dataset.bare;
  return faults;
}
