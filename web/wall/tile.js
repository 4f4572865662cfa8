/**
 * A tile: the frame around a stream or several, with label, fuse and evidence. Its kind makes the body, which shows the value.
 *
 * A body may throw at any value. That is the failure of this tile alone: it shows as failed, and the other tiles go on.
 */

import { validity } from "../client/health.js";
import { kindOf } from "../kinds/kind.js";
import { addElement, setData, setText } from "../page/dom.js";
import { label } from "../text/face.js";
import { assess, assessAll, assessBroken } from "./evidence.js";
import { Fuse } from "./fuse.js";

/** A change lights the line for so long, and at most so often, in milliseconds. */
const LIT = 600;
const REST = 2000;

/**
 * @typedef {import("../client/link.js").Stream} Stream
 * @typedef {import("../kinds/kind.js").Spec} Spec
 * @typedef {import("../kinds/kind.js").Picture} Picture
 */

export class Tile extends HTMLElement {
  /** State, level and evidence; null before the first update. @type {import("./evidence.js").Assessment|null} */
  assessment = null;
  /** How many columns it takes. */
  weight = 1;

  /** The inside; null if it has failed. @type {import("../kinds/kind.js").Body|null} */
  #body = null;
  /** The exception of a body that failed. @type {{error: unknown}|null} */
  #failure = null;
  /** Whether that is in the browser's console. Once is enough: a wall runs for months. */
  #logged = false;
  #label = addElement("h2", "label words");
  #line = addElement("div", "line");
  #foot = addElement("p", "foot words");
  #expiry = addElement("div", "expiry");
  #fuse = new Fuse(addElement("div", "fuse", this.#line), this.#expiry);
  #evidence = [1, 2, 3].map(() => addElement("bdi", "evidence", this.#foot));
  /** @type {Spec} */
  #spec = { names: [] };
  /** The latest arguments of `judge`. @type {[Stream[], Picture]|null} */
  #latest = null;
  #positions = "";
  #lit = -Infinity;
  #unlight;

  constructor() {
    super();
    this.#expiry.ariaHidden = "true"; // a screen reader reads the evidence, which is right while scripts run
    addElement("bdi", "evidence", addElement("p", "foot", this.#expiry)).textContent = "late";
  }

  connectedCallback() {
    if (this.firstChild) return; // the tile was only moved
    this.role = "listitem";
    this.className = "tile";
    this.append(this.#label, this.#line, ...(this.#body ? [this.#body.element] : []), this.#foot, this.#expiry);
  }

  /** The tile was removed or is being moved. A fuse out of sight must not burn on. */
  disconnectedCallback() {
    this.#fuse.out();
    clearTimeout(this.#unlight);
    setData(this, "lit", "no");
  }

  /** The label as it reads on the wall. @returns {string} */
  get called() {
    return this.#label.textContent ?? "";
  }

  /** How wide its number is; null: it shows none. @returns {import("../kinds/kind.js").Room|null} */
  get numeral() {
    return this.#body?.numeral ?? null;
  }

  /** Take the row's size of numerals. @param {import("../kinds/kind.js").Room} room */
  fit(room) {
    if (this.#attempt((body) => body.fit?.(room)) && this.#latest) this.judge(...this.#latest);
  }

  /**
   * Show what has changed.
   * @param {Spec} spec
   * @param {Stream[]} streams  those of the spec, in its order
   * @param {Picture} picture
   */
  update(spec, streams, picture) {
    this.#spec = spec;
    setText(this.#label, spec.title || streams.map(label).join(", "));
    const positions = streams.map(({ at }) => at).join();
    if (this.#positions && positions !== this.#positions && picture.status === "live") this.#light();
    this.#positions = positions;
    const failed = this.#failure !== null;
    this.#embody(streams);
    this.#attempt((body) => body.update?.(streams, picture, spec));
    // A body that failed must draw before the tile may show as current again, not up to a second later.
    if (failed) this.#attempt((body) => body.draw?.(streams, picture, spec));
    this.judge(streams, picture);
    this.#logged &&= this.#failure !== null;
  }

  /** Show what time changes: states, ages, the fuse. @param {Stream[]} streams @param {Picture} picture */
  judge(streams, picture) {
    this.#latest = [streams, picture];
    this.assessment = this.#assess(streams, picture);
    const { state, level, evidence } = this.assessment;
    setData(this, "state", state);
    setData(this, "level", level);
    this.#evidence.forEach((element, i) => setText(element, evidence[i] ?? ""));
    const valid = state === "current" ? streams.map((stream) => validity(stream, picture.tick)).filter((one) => one !== null) : [];
    this.#fuse.burn(valid.sort((a, b) => a.from + a.span - b.from - b.span)[0] ?? null, picture.now);
  }

  /** Draw what moves with time, such as lines. @param {Stream[]} streams @param {Picture} picture */
  draw(streams, picture) {
    if (this.#attempt((body) => body.draw?.(streams, picture, this.#spec))) this.judge(streams, picture);
  }

  /** @returns {import("./evidence.js").Assessment} */
  #assess(streams, picture) {
    let change = "";
    // A change needs the history, and only visible tiles are worth a request for it.
    if (!this.hidden && streams.length === 1) this.#attempt((body) => (change = body.change?.(streams[0], picture) ?? ""));
    if (this.#failure) return assessBroken(this.#failure.error, picture, streams);
    return streams.length > 1 ? assessAll(streams, picture) : assess(streams[0], picture, change);
  }

  /** Make the body, or another one if the kind has changed or the body has failed. @param {Stream[]} streams */
  #embody(streams) {
    try {
      const kind = kindOf(streams, this.#spec.show);
      if (this.#body && this.dataset.kind === kind.name) return;
      setData(this, "kind", kind.name);
      this.weight = kind.weight;
      this.#disembody();
      this.#body = new kind.Body();
      this.#failure = null;
      if (this.firstChild) this.#line.after(this.#body.element);
    } catch (error) {
      this.#fail(error);
    }
  }

  #disembody() {
    this.#body?.element.remove();
    this.#body = null;
  }

  /**
   * Call the body. If it throws, the tile has failed until an update makes a new body: a body that was left in the middle of
   * something may show half of an old value.
   * @param {(body: import("../kinds/kind.js").Body) => void} call
   * @returns {boolean}  whether it threw
   */
  #attempt(call) {
    if (!this.#body) return false;
    try {
      call(this.#body);
      return false;
    } catch (error) {
      this.#fail(error);
      return true;
    }
  }

  #fail(error) {
    if (!this.#logged) console.error(`streamd: the tile ${JSON.stringify(this.called)} cannot be shown`, error);
    this.#logged = true;
    this.#disembody();
    this.#failure = { error };
  }

  /** Light the line. It goes on and off at once: two dozen fades at all times would be most of the wall's cost. */
  #light() {
    const now = performance.now();
    if (now - this.#lit < REST) return;
    this.#lit = now;
    setData(this, "lit", "yes");
    this.#unlight = setTimeout(() => setData(this, "lit", "no"), LIT);
  }
}
