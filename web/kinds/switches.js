/** Things that are on or off, or work or do not: a cell for each, with its sign, its name and the time of its last change. */

import { stateOf } from "../client/health.js";
import { arrangeCells } from "../draw/cells.js";
import { addElement, setData, setProperty, setText } from "../page/dom.js";
import { label } from "../text/face.js";
import { misfit } from "../text/misfit.js";
import { cut } from "../text/plain.js";
import { rankOf, RANKS } from "../text/ranks.js";
import { duration } from "../text/times.js";
import { inline, wordOf } from "../text/values.js";
import { say } from "../text/words.js";

/** @typedef {import("./kind.js").Stream} Stream @typedef {import("./kind.js").Picture} Picture */

/** The characters of a name that are shown; the rest is cut off. */
const LONGEST = 128;
/** The space below the label, in u: a critical cell is filled up to its edge. */
const ABOVE = 0.4;

/**
 * @typedef {object} Switch
 * @property {string} name
 * @property {string} text  right of the name: how long it has been so, or the word for "off"
 * @property {import("../text/ranks.js").Rank} rank
 * @property {boolean} off  whether it is off, which is no fault by itself
 * @property {boolean} believed  whether the value is current
 */

class SwitchesBody {
  element = addElement("div", "body");
  aside = "";
  /** Whether all cells have their names, and nothing stands below them. */
  whole = false;

  #grid = addElement("div", "switches", this.element);
  /** @type {HTMLElement[]} */
  #cells = [];
  #room = { width: 20, height: 9, spare: 0 };
  /** @type {Switch[]} */
  #switches = [];
  #cut = 0;

  /** @param {import("./kind.js").Box} box */
  fit({ width, height, spare }) {
    this.#room = { width, height: height - ABOVE, spare };
    this.#show();
  }

  /** @param {Stream[]} streams @param {Picture} picture @throws {TypeError}  if one of them is no on or off */
  update(streams, picture) {
    this.#switches = streams.length === 1 && isObject(streams[0].value) ? membersOf(streams[0], picture) : streams.map((stream) => switchOf(stream, picture));
    this.#show();
  }

  /** @param {Stream[]} streams @param {Picture} picture */
  draw(streams, picture) {
    this.update(streams, picture); // the durations grow
  }

  /** The things in trouble, by name, if the cells have no names. @returns {import("./kind.js").Part[]} */
  evidence(streams, picture) {
    if (!this.#switches.length) return [{ text: say("empty", picture) }];
    if (this.element.dataset.named === "yes") return [];
    const more = this.#cut ? [{ text: say("more", picture, { count: this.#cut }) }] : [];
    return [...this.#worst(picture), ...more];
  }

  /** The worst thing, and how many work. @param {Picture} picture @returns {import("./kind.js").Part[]} */
  #worst(picture) {
    const bad = RANKS.slice(0, -1).flatMap((rank) => this.#switches.filter((one) => one.rank === rank));
    const good = this.#switches.length - bad.length;
    const count = { strong: String(good), text: say("ofTotalUp", picture, { total: this.#switches.length }) };
    return [...bad.slice(0, 1).map(({ name, text, rank }) => ({ strong: name, text, level: levelOf(rank) })), count];
  }

  #show() {
    const count = this.#switches.length;
    const { named, columns, height, rows, shown } = arrangeCells(count, this.#room);
    this.#cut = count - shown;
    this.whole = named && count > 0;
    setData(this.element, "named", named ? "yes" : "no");
    for (const [name, value] of Object.entries({ columns, rows, height })) setProperty(this.#grid, `--${name}`, value);
    while (this.#cells.length > shown) this.#cells.pop()?.remove();
    this.#switches.slice(0, shown).forEach((one, i) => this.#write((this.#cells[i] ??= makeCell(this.#grid)), one));
  }

  /** Write a thing into its cell. @param {HTMLElement} cell @param {Switch} one */
  #write(cell, { name, text, rank, off, believed }) {
    const [, label, since] = cell.children;
    setText(label, name);
    setText(since, text);
    setData(cell, "rank", off ? "off" : rank);
    setData(cell, "believed", believed ? "yes" : "no");
    const spoken = `${name}: ${text}`;
    if (cell.title !== spoken) cell.title = spoken;
  }
}

/** Add an empty cell. @param {Element} grid @returns {HTMLElement} */
function makeCell(grid) {
  const cell = addElement("div", "switch words", grid);
  addElement("i", "sign", cell).ariaHidden = "true";
  addElement("bdi", "name", cell);
  addElement("bdi", "since", cell);
  return cell;
}

/** The look of one stream. @param {Stream} stream @param {Picture} picture @returns {Switch} */
function switchOf(stream, picture) {
  const { value, description, health, seq, time = picture.now } = stream;
  if (isObject(value) || Array.isArray(value)) throw misfit("switches", "texts, true or false, or one object of them", value);
  const state = stateOf(stream, picture);
  const believed = state === "current";
  const rank = rankOf(state, health.level);
  const off = value === false || value === 0;
  const since = seq ? duration(Math.max(0, picture.now - time), 1, picture) : "";
  const told = rank === "failed" || rank === "late" || rank === "waiting" ? say(rank, picture) : (off && wordOf(value, description)) || since;
  return { name: label(stream), text: told, rank, off: off && rank === "ok", believed };
}

/**
 * The members of an object, without the time of their last change, which is not known.
 * @param {Stream} stream
 * @param {Picture} picture
 * @returns {Switch[]}
 */
function membersOf(stream, picture) {
  const believed = stateOf(stream, picture) === "current";
  return Object.entries(stream.value).map(([name, value]) => {
    if (typeof value === "object" && value !== null) throw misfit("switches", "texts, true or false, or one object of them", value);
    return { name: cut(name, LONGEST), text: inline(value, stream.description, picture), rank: "ok", off: value === false || value === 0, believed };
  });
}

/**
 * The level that a rank stands for; undefined for all other ranks.
 * @param {Switch["rank"]} rank
 * @returns {"warn"|"critical"|undefined}
 */
function levelOf(rank) {
  return rank === "warn" || rank === "critical" ? rank : undefined;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @type {import("./kind.js").Kind} */
export const switches = {
  name: "switches",
  suits: () => false, // an object is a list, unless somebody asks for switches
  several: true,
  parts: true,
  size: "l",
  least: { width: 20, height: 13 },
  Body: SwitchesBody,
};
