/**
 * A tile: a stream or a few, and whether they can be believed. `update()` is the only thing that touches the page, and a
 * write that changes nothing is skipped.
 */

import { Chart } from "./chart.js";
import { Fuse } from "./fuse.js";
import { List } from "./list.js";
import { Value } from "./value.js";
import { change, combined, kind, label, validity, view } from "./view.js";
import { make, mark, write } from "./write.js";

/** A change lights the line for so long, and at most so often (milliseconds). */
const LIT = 600;
const REST = 2000;

const BODIES = { value: Value, status: Value, chart: Chart, list: List };
/** Columns that a tile of a kind takes. */
const WEIGHTS = { value: 1, status: 1, chart: 2, list: 2 };

/**
 * @typedef {object} Spec  what a wall says of a tile
 * @property {string[]} names
 * @property {string} [title]
 * @property {string} [show]
 *
 * @typedef {import("./view.js").Picture & {tick: number, histories: import("./histories.js").Histories}} Picture
 */

export class Tile extends HTMLElement {
  /** How it is shown, for the wall's summary. @type {import("./view.js").View|null} */
  view = null;
  /** What it shows. @type {Value|Chart|List|null} */
  body = null;
  /** Columns that it takes. */
  weight = 1;

  #label = make("h2", "label");
  #line = make("div", "line");
  #foot = make("p", "foot");
  #expiry = make("div", "expiry");
  #fuse = new Fuse(make("div", "fuse", this.#line), this.#expiry);
  #evidence = [1, 2, 3].map(() => make("bdi", "evidence", this.#foot));
  #seen = "";
  #lit = -Infinity;
  #unlight;

  constructor() {
    super();
    this.#expiry.ariaHidden = "true"; // who hears the page is told by the evidence, which is right while scripts run
    make("bdi", "evidence", make("p", "foot", this.#expiry)).textContent = "late";
  }

  connectedCallback() {
    if (this.firstChild) return; // it was moved
    this.role = "listitem";
    this.className = "tile";
    this.append(this.#label, this.#line, ...(this.body ? [this.body.element] : []), this.#foot, this.#expiry);
  }

  /** It was taken from the page, or moved there: a fuse that nobody sees is out. */
  disconnectedCallback() {
    this.#fuse.out();
    clearTimeout(this.#unlight);
    mark(this, "lit", "no");
  }

  /** What it is called on the wall. */
  get called() {
    return this.#label.textContent ?? "";
  }

  /**
   * Something is new.
   * @param {Spec} spec
   * @param {import("./streamd.js").Stream[]} streams  those of the spec, in its order
   * @param {Picture} picture
   */
  update(spec, streams, picture) {
    const [stream] = streams;
    this.#embody(streams.length > 1 ? "chart" : kind(stream, spec.show));
    write(this.#label, spec.title || (streams.length > 1 ? streams.map(label).join(", ") : label(stream)));
    const seen = streams.map(({ at }) => at).join();
    if (this.#seen && seen !== this.#seen && picture.status === "live") this.#light();
    this.#seen = seen;
    this.body?.update(streams, picture, spec);
    this.judge(streams, picture);
  }

  /** What time does to it. @param {import("./streamd.js").Stream[]} streams @param {Picture} picture */
  judge(streams, picture) {
    this.view = streams.length > 1 ? combined(streams, picture) : view(streams[0], picture, this.#change(streams[0], picture));
    const { state, level, evidence } = this.view;
    mark(this, "state", state);
    mark(this, "level", level);
    this.#evidence.forEach((element, i) => write(element, evidence[i] ?? ""));
    const valid = state === "current" ? streams.map((stream) => validity(stream, picture.tick)).filter((one) => one !== null) : [];
    this.#fuse.burn(valid.sort((a, b) => a.from + a.span - b.from - b.span)[0] ?? null, picture.now);
  }

  /** Its lines, up to now. @param {import("./streamd.js").Stream[]} streams @param {Picture} picture */
  draw(streams, picture) {
    this.body?.draw(streams, picture);
  }

  #change(stream, { histories, now }) {
    return !this.hidden && this.dataset.kind === "value" && typeof stream.value === "number" ? change(histories.get(stream), now) : "";
  }

  /** @param {import("./view.js").Kind} kind */
  #embody(kind) {
    if (this.dataset.kind === kind) return;
    mark(this, "kind", kind);
    this.weight = WEIGHTS[kind];
    this.body?.element.remove();
    this.body = new BODIES[kind](kind);
    if (this.firstChild) this.#line.after(this.body.element);
  }

  /** On and off at once: two dozen fades, without end, would be most of what the wall costs. */
  #light() {
    const now = performance.now();
    if (now - this.#lit < REST) return;
    this.#lit = now;
    mark(this, "lit", "yes");
    this.#unlight = setTimeout(() => mark(this, "lit", "no"), LIT);
  }
}
