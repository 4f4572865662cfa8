/** Named numbers as bars, in the order of the value, each with a notch at its former number. */

import { daysOf } from "../draw/captions.js";
import { readRanked } from "../draw/ranking.js";
import { addElement } from "../page/dom.js";
import { Ranking } from "../parts/ranking.js";
import { misfit } from "../text/misfit.js";
import { pastDay } from "../text/times.js";
import { cell } from "../text/values.js";
import { say } from "../text/words.js";

/** @typedef {import("./kind.js").Stream} Stream @typedef {import("./kind.js").Picture} Picture @typedef {import("./kind.js").Spec} Spec */

class RankedBody {
  element = addElement("div", "body");
  aside = "";

  #ranking = new Ranking();
  #empty = false;

  constructor() {
    this.element.append(this.#ranking.element);
  }

  get whole() {
    return !this.#empty && !this.#ranking.more;
  }

  /** @param {import("./kind.js").Box} box */
  fit(box) {
    this.#ranking.fit(box);
  }

  /** @param {Stream[]} streams  one @param {Picture} picture @param {Spec} spec @throws {TypeError}  if its value is no named numbers */
  update([{ value, seq, description }], picture, spec) {
    const ranked = readRanked(value ?? [], spec.former);
    if (!ranked) throw misfit("ranked", "names with numbers", value);
    this.#empty = Boolean(seq) && !ranked.length;
    this.#ranking.show(ranked, (number) => (number === null ? "—" : cell(number, description, picture)));
    const notch = ranked.some(({ former = null }) => former !== null) ? `| ${nameOfPast(spec, description, picture)}` : "";
    this.aside = [description.unit, notch].filter(Boolean).join("  ");
  }

  /** @param {Stream[]} streams @param {Picture} picture @returns {import("./kind.js").Part[]} */
  evidence(streams, picture) {
    if (this.#empty) return [{ text: say("empty", picture) }];
    return this.#ranking.more ? [{ text: say("more", picture, { count: this.#ranking.more }), always: true }] : [];
  }
}

/**
 * The name of the past that the notches show: the day of `compare`, or the name of the member.
 * @param {Spec} spec
 * @param {Record<string, any>} description
 * @param {Picture} picture
 */
function nameOfPast({ compare, former }, description, picture) {
  const days = daysOf(compare ?? description.compare);
  return days ? pastDay(days, picture.now, picture) : String(former).replaceAll("_", " ");
}

/** @type {import("./kind.js").Kind} */
export const ranked = {
  name: "ranked",
  suits: () => false, // rows are a list or a chart, unless somebody asks for a ranking
  size: "l",
  least: { width: 20, height: 15 },
  Body: RankedBody,
};
