/** The scores of the page: round times, events and now, which run through all tiles of a group that shares its time. */

import { roundTimes } from "../draw/hours.js";
import { drawScore, isScore, plotsOf, wordOfEvent } from "../draw/score.js";
import { setProperty } from "../page/dom.js";
import { Plot } from "../page/plot.js";
import { inline } from "../text/values.js";

/** The height of a tile's label with the rule above it, and of half a number of the scale, in u. */
const LABEL = 4.2;
const HALF = 1.2;
/** The width that a time on the axis needs, in u. */
const TIME = 9;
/** The window of a score whose group names none, in seconds. */
const WINDOW = 8 * 3600;
/** A description without limits, because a flag does not show the level of its event. */
const PLAIN = {};

/**
 * @typedef {import("../kinds/kind.js").Spec} Spec
 * @typedef {import("../kinds/kind.js").Picture} Picture
 * @typedef {import("../client/link.js").Stream} Stream
 * @typedef {import("./configuration.js").Group} Group
 * @typedef {import("../draw/score.js").Box} Box
 */

export class Scores {
  #parent;
  /** @type {Score[]} */
  #scores = [];

  /** @param {Element} parent  of the tiles */
  constructor(parent) {
    this.#parent = parent;
  }

  close() {
    this.#show(0);
  }

  /**
   * Find the scores of the page, and mark their tiles.
   * @param {{spec: Spec, box: Box|null}[]} tiles  in order, with their places; null: not on this page
   * @param {Group[]} groups
   * @param {number} unit  how many pixels u has
   */
  arrange(tiles, groups, unit) {
    const found = groups.filter(({ share }) => share === "time").map((group) => ({ group, shown: tiles.filter(({ spec, box }) => box && spec.group === group.title) }));
    const scores = found.filter(({ shown }) => isScore(shown.map(({ box }) => /** @type {Box} */ (box))));
    for (const { spec } of tiles) delete spec.score;
    for (const { group, shown } of found) shown.forEach(({ spec }) => (spec.window ??= group.window ?? WINDOW));
    this.#show(scores.length);
    scores.forEach(({ group, shown }, i) => {
      const window = group.window ?? WINDOW;
      shown.forEach(({ spec }, k) => (spec.score = { window, first: k === 0 }));
      this.#scores[i].place(plotsOf(shown.map(({ box }) => /** @type {Box} */ (box)), LABEL + HALF), { unit, window, events: group.events });
    });
  }

  /** Have this number of scores. @param {number} count */
  #show(count) {
    for (const score of this.#scores.splice(count)) score.element.remove();
    while (this.#scores.length < count) {
      const score = new Score();
      this.#scores.push(score);
      this.#parent.append(score.element);
    }
  }

  /** Draw the lines that move with time. @param {Map<string, Stream>} streams @param {Picture} picture */
  draw(streams, picture) {
    for (const score of this.#scores) score.draw(streams, picture);
  }
}

/** The lines through the tiles of one group. */
class Score {
  #plot = new Plot(false);
  #box = { x: 0, y: 0, width: 0, height: 0, axis: 0 };
  /** @type {{unit: number, window: number, events?: string}} */
  #options = { unit: 1, window: WINDOW };
  #key = "";

  get element() {
    return this.#plot.element;
  }

  /** Lay the lines over the plots. @param {ReturnType<typeof plotsOf>} box  of the plots @param {{unit: number, window: number, events?: string}} options */
  place(box, options) {
    [this.#box, this.#options, this.#key] = [box, options, ""];
    this.element.classList.add("score");
    for (const [name, value] of [["--x", box.x], ["--y", box.y], ["--w", box.width], ["--h", box.height]]) setProperty(this.element, String(name), value);
  }

  /** Draw the lines for hours, events and now. @param {Map<string, Stream>} streams @param {Picture} picture */
  draw(streams, picture) {
    const { unit, window, events } = this.#options;
    const to = Math.min(picture.now, picture.lost ?? Infinity);
    const width = this.#box.width * unit;
    const stream = events ? streams.get(events) : undefined;
    const latest = stream?.seq ? picture.history.latest(stream) : [];
    const key = [Math.floor((2 * width * to) / window), latest[0]?.time, latest.length].join();
    if (key === this.#key) return;
    this.#key = key;
    const from = to - window;
    const flags = [...latest].reverse().map(({ time, value }) => ({ time, text: wordOfEvent(value, (part) => inline(part, PLAIN, picture)) }));
    const times = roundTimes(from, to, Math.max(1, Math.floor(this.#box.width / TIME)), picture).map(({ time }) => time);
    this.#plot.show(drawScore({ width, height: this.#box.height * unit, unit, from, to, axis: this.#box.axis * unit, times, flags }));
  }
}
