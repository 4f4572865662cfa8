/**
 * A tile: the frame around a stream or several, with label, fuse and evidence. Its kind makes the body, which shows the value.
 *
 * A body may throw at any value. Then only this tile shows as failed.
 */

import { stateOf, validity } from "../client/health.js";
import { emsOf } from "../draw/numeral.js";
import { kindOf } from "../kinds/kind.js";
import { addElement, setData, setHidden, setProperty, setText } from "../page/dom.js";
import { label } from "../text/face.js";
import { say } from "../text/words.js";
import { assess, assessAll, assessBroken, assessEach, textOf } from "./evidence.js";
import { Fuse } from "./fuse.js";

/** The height of rule and label, in u: see tile.css. */
const LABEL = 4.2;
/** The height of the line of evidence with its space, and of each line of a longer one, in u: see tile.css. */
const FOOT = 3.2;
const LINE = 3.12;
/** In u, to compute widths: the sizes of the label and of the text beside it, and the least space between them. */
const SIZE = { label: 2.7, aside: 2.3, space: 2 };
/** Separates two texts beside the label. */
const APART = " · ";
/** Milliseconds until a body that failed is tried again: a picture may be there by then. */
const AGAIN = 5000;
/** The most lines of a failure: two of its reason, and one for the time of the value. */
const LINES = 3;

/**
 * @typedef {import("../client/link.js").Stream} Stream
 * @typedef {import("../kinds/kind.js").Kind} Kind
 * @typedef {import("../kinds/kind.js").Spec} Spec
 * @typedef {import("../kinds/kind.js").Picture} Picture
 */

export class Tile extends HTMLElement {
  /** State, level and evidence; null before the first update. @type {import("./evidence.js").Assessment|null} */
  assessment = null;
  /** The kind that shows its streams. @type {Kind|null} */
  kind = null;
  /** The text of the label on the wall. */
  called = "";

  /** The inside; null if it has failed. @type {import("../kinds/kind.js").Body|null} */
  #body = null;
  /** The exception of a body that failed, and when, by the clock of the page. @type {{error: unknown, at: number}|null} */
  #failure = null;
  /** Whether the failure was logged in the browser's console. Once is enough: a wall runs for months. */
  #logged = false;
  #top = addElement("div", "top");
  #label = addElement("h2", "label words", this.#top);
  #aside = addElement("span", "aside words", this.#top);
  #line = addElement("div", "line");
  #foot = addElement("p", "foot");
  #expiry = addElement("div", "expiry");
  #fuse = new Fuse(addElement("div", "fuse", this.#line), this.#expiry);
  #late = addElement("bdi", "evidence", addElement("p", "foot", this.#expiry));
  #evidence = [1, 2, 3].map(() => addPart(this.#foot));
  /** @type {Spec} */
  #spec = { names: [] };
  /** The room below the label. @type {Omit<import("../kinds/kind.js").Box, "foot"|"spare">|null} */
  #room = null;
  /** The part of the room that the body has. @type {import("../kinds/kind.js").Box|null} */
  #box = null;

  constructor() {
    super();
    this.#expiry.ariaHidden = "true"; // a screen reader reads the evidence, which is right while scripts run
  }

  connectedCallback() {
    if (this.firstChild) return; // the tile was only moved
    this.role = "listitem";
    this.className = "tile";
    this.append(this.#line, this.#top, ...(this.#body ? [this.#body.element] : []), this.#foot, this.#expiry);
  }

  /** Put the fuse out: the tile was removed or is being moved. */
  disconnectedCallback() {
    this.#fuse.out();
  }

  /**
   * Take a place on the page.
   * @param {{x: number, y: number, width: number, height: number}} place  in u
   * @param {import("../kinds/kind.js").SizeName} size
   * @param {number} unit  pixels of u
   * @param {number} stretch  the factor by which rows are stretched while a band or a notice takes room
   */
  place({ x, y, width, height }, size, unit, stretch) {
    for (const [name, value] of [["--x", x], ["--y", y * stretch], ["--w", width], ["--h", height * stretch]]) setProperty(this, String(name), value);
    this.#room = { size, width, height: height * stretch - LABEL, full: height - LABEL, unit };
    this.#fit();
  }

  /**
   * Give the body its room. A tile that shows the state of each of several streams seldom has evidence, so it keeps no line for
   * it.
   * @returns {boolean}  whether the room has changed
   */
  #fit() {
    if (!this.#room) return false;
    const foot = this.assessment?.members && !this.assessment.evidence.some(textOf) ? 0 : FOOT;
    const more = this.#isLong() ? LINE : 0;
    setData(this, "label", more ? "long" : undefined);
    const box = { ...this.#room, height: this.#room.height - foot - more, full: this.#room.full - foot - more, foot, spare: this.#isSpare() ? foot : 0 };
    if (JSON.stringify(box) === JSON.stringify(this.#box)) return false;
    this.#box = box;
    this.#attempt((body) => body.fit?.(box));
    return true;
  }

  /** Whether the label takes a second line: it does not fit in one, and its kind has room enough with two. */
  #isLong() {
    const { width, full } = this.#room ?? { width: Infinity, full: 0 };
    const beside = this.#body?.aside ? emsOf(this.#body.aside) * SIZE.aside + SIZE.space : 0;
    return emsOf(this.called) * SIZE.label + beside > width && full + LABEL - LINE >= (this.kind?.least.height ?? Infinity);
  }

  /**
   * Whether a body that shows everything may take the line of evidence: it may if only an age would stand there. On a lost wall
   * the band has the ages, so an age without room may be left out.
   */
  #isSpare() {
    const { state, level, age } = this.assessment ?? {};
    if (level !== "ok" || age === undefined) return false;
    return state === "lost" || (state === "current" && this.#hasRoom(age));
  }

  /** Whether an age has room beside the label. @param {string} age */
  #hasRoom(age) {
    return emsOf(this.called) * SIZE.label + emsOf(this.#beside(age)) * SIZE.aside + SIZE.space < (this.#room?.width ?? 0);
  }

  /** The text beside the label. @param {string} age */
  #beside(age) {
    return [this.#body?.aside, age].filter(Boolean).join(APART);
  }

  /** Write the evidence, or the age beside the label if the body has taken the line. */
  #tell() {
    const { evidence, age = "" } = this.assessment ?? { evidence: [] };
    const taken = Boolean(this.#box?.spare && this.#body?.whole);
    setData(this, "foot", taken || !this.#box?.foot ? "none" : undefined);
    this.#evidence.forEach((element, i) => setPart(element, (!taken && evidence[i]) || {}));
    setText(this.#aside, this.#beside(taken && this.#hasRoom(age) ? age : ""));
  }

  /** Place the evidence: a sided body has it below its side; a failure has more lines if they cover nothing. */
  #shape() {
    setData(this, "shape", this.#body?.element.classList.contains("sided") ? "sided" : undefined);
    const lines = this.#box && this.assessment?.state === "failed" ? Math.min(LINES, Math.floor(this.#below(this.#box) / LINE)) : 1;
    setData(this, "tall", lines > 1 ? String(lines) : undefined);
  }

  /**
   * The free height below the legible part of a failed body, in u. It is measured, which costs a layout.
   * @param {import("../kinds/kind.js").Box} box
   */
  #below({ height, foot, unit }) {
    if (!this.#body) return height + foot;
    const parts = [...this.querySelectorAll(".figure, .meter")].map((part) => part.getBoundingClientRect());
    if (!parts.length) return 0;
    return (this.getBoundingClientRect().bottom - Math.max(...parts.map(({ bottom }) => bottom))) / unit;
  }

  /**
   * Show new streams, values or settings.
   * @param {Spec} spec
   * @param {Stream[]} streams  the streams of the spec, in its order
   * @param {Picture} picture
   */
  update(spec, streams, picture) {
    this.#spec = spec;
    setText(this.#late, say("late", picture));
    this.called = spec.title || streams.map(label).join(", ");
    setText(this.#label, this.called);
    const failed = this.#failure !== null;
    this.#embody(streams);
    this.#attempt((body) => body.update?.(streams, picture, spec));
    // A body that failed must draw before the tile may show as current again, not up to a second later.
    if (failed) this.#attempt((body) => body.draw?.(streams, picture, spec));
    this.judge(streams, picture);
    this.#logged &&= this.#failure !== null;
  }

  /** Show the parts that time changes: states, ages, the fuse. @param {Stream[]} streams @param {Picture} picture */
  judge(streams, picture) {
    this.assessment = this.#assess(streams, picture);
    if (this.#fit()) this.assessment = this.#assess(streams, picture); // another number of rows has room
    const { state, level } = this.assessment;
    setData(this, "state", state);
    setData(this, "level", level);
    this.#tell();
    this.#shape();
    // The fuse is that of the streams which are current: a part that is late already says so itself.
    const current = state === "current" ? streams.filter((stream) => stateOf(stream, picture) === "current") : [];
    const valid = current.map((stream) => validity(stream, picture.tick)).filter((one) => one !== null);
    this.#fuse.burn(valid.sort((a, b) => a.from + a.span - b.from - b.span)[0] ?? null, picture.now);
  }

  /** Draw the parts that move with time, such as lines. @param {Stream[]} streams @param {Picture} picture */
  draw(streams, picture) {
    if (this.#failure && performance.now() - this.#failure.at >= AGAIN) this.update(this.#spec, streams, picture);
    if (this.#attempt((body) => body.draw?.(streams, picture, this.#spec))) this.judge(streams, picture);
  }

  /** The state and the evidence of the tile. @returns {import("./evidence.js").Assessment} */
  #assess(streams, picture) {
    /** @type {import("../kinds/kind.js").Part[]} */
    let parts = [];
    // Evidence needs the history, and only visible tiles are worth a request for it.
    if (!this.hidden) this.#attempt((body) => (parts = body.evidence?.(streams, picture, this.#spec) ?? []));
    /** @type {import("../kinds/kind.js").Need[]} */
    let needs = [];
    this.#attempt((body) => (needs = body.needs?.(streams, picture, this.#spec) ?? []));
    if (this.#failure) return assessBroken(this.#failure.error, picture, streams);
    if (streams.length === 1) return { ...assess(streams[0], picture, parts), needs };
    return { ...(this.kind?.parts ? assessEach : assessAll)(streams, picture, parts), needs };
  }

  /** Make the body, or another one if the kind has changed or the body has failed. @param {Stream[]} streams */
  #embody(streams) {
    try {
      const kind = kindOf(streams, this.#spec.show);
      if (this.#body && this.kind === kind) return;
      this.kind = kind;
      setData(this, "kind", kind.name);
      setData(this, "fills", kind.parts ? "part" : undefined);
      this.#disembody();
      this.#body = new kind.Body();
      this.#failure = null;
      if (this.firstChild) this.#top.after(this.#body.element);
      if (this.#box) this.#body.fit?.(this.#box);
    } catch (error) {
      this.#fail(error);
    }
  }

  #disembody() {
    this.#body?.element.remove();
    this.#body = null;
  }

  /**
   * Call the body. If it throws, the tile has failed until an update, or the next attempt, makes a new body: an interrupted body
   * may show half of an old value.
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
    this.#failure = { error, at: performance.now() };
  }
}

/** An element for a part of the evidence. @param {Element} parent @returns {HTMLElement} */
function addPart(parent) {
  const element = addElement("bdi", "evidence", parent);
  addElement("b", "", element);
  addElement("span", "", element);
  return element;
}

/** Write a part of the evidence. @param {HTMLElement} element  made by `addPart` @param {import("../kinds/kind.js").Part} part */
function setPart(element, { strong = "", text = "", level }) {
  if (element.hidden && !strong && !text) return;
  const [bold, rest] = element.children;
  setText(bold, strong);
  setText(rest, strong && text ? ` ${text}` : text);
  setHidden(element, !strong && !text);
  setData(element, "level", level);
}
