/**
 * Numbers over time: one number with its figure and a comparison, or several with their names. The numbers are the past of
 * streams, or the rows of a series. Rows with names are shown as a ranking.
 */

import { stateOf } from "../client/health.js";
import { axisText, changeAgainst, changeOf, daysOf, inOrder, namesBeside, scaleText, scaleTexts } from "../draw/captions.js";
import { emsOf } from "../draw/numeral.js";
import { readPairs } from "../draw/pairs.js";
import { addElement, setData, setHidden, setProperty, setText } from "../page/dom.js";
import { Figure } from "../page/figure.js";
import { Ranking } from "../parts/ranking.js";
import { edgeText, Timeline, knownPoints, windowOf } from "../parts/timeline.js";
import { label } from "../text/face.js";
import { text } from "../text/format.js";
import { describe, misfit } from "../text/misfit.js";
import { rankOf, SIGNS } from "../text/ranks.js";
import { duration, pastDay } from "../text/times.js";
import { inline } from "../text/values.js";
import { say } from "../text/words.js";

/** @typedef {import("./kind.js").Stream} Stream @typedef {import("./kind.js").Picture} Picture @typedef {import("./kind.js").Spec} Spec */

/**
 * A body of at least this width and height, in u, has its figure and its evidence left of the plot, unless it is too high for its
 * width.
 */
const SIDED = { width: 50, height: 12, ratio: 1.3 };
/** A low body of at least this width, in u, has its figure beside the plot; others have it above. */
const BESIDE = 34;
const LOW = 18;
/** The width of the column of the figure, in u: in a wide body, and in others. */
const SIDE = { wide: 21, other: 18 };
const WIDE = 60;
/** The gutters of a chart that shares its axis with others, in u, equal so that their plots are aligned. */
const SHARED = { left: 8, right: 11 };
/** In u: the height of a figure above the plot, and of a line below a figure beside it, such as that of the evidence. */
const ABOVE = 6;
const LINE = 3.2;
/** The most lines of one chart: more would look alike. */
const LINES = 5;
/** The size of a name in u, and the share of the width that names with values may take. */
const NAME = 2.4;
const NAMES = 0.33;
/** The precision of texts in the column and the gutter: there is room for "last Fri", but not for "last Wednesday". */
const NARROW = { narrow: true };

/** The values that a chart can show, in the words of its errors. */
const SHOWS = "numbers, or rows of a time or a name and a number";

export class ChartBody {
  element = addElement("div", "body");
  aside = "";

  #figure = new Figure();
  #side = addElement("div", "side", this.element);
  #pairs = addElement("dl", "pairs");
  #timeline = new Timeline(true);
  #ranking = new Ranking();
  #quantiles;
  #box = { width: SIDED.width, height: SIDED.height, full: SIDED.height, foot: 3, spare: 0, unit: 10 };
  /** The latest arguments of `arrange`. @type {[Stream[], Picture]|null} */
  #latest = null;
  /** Texts for the evidence about rows and values that are not drawn. @type {string[]} */
  #notes = [];

  /** @param {boolean} [quantiles]  whether its streams are quantiles of one thing */
  constructor(quantiles = false) {
    this.#quantiles = quantiles;
    this.#side.append(this.#figure.element, this.#pairs);
    addElement("div", "picture", this.element).append(this.#timeline.element, this.#ranking.element);
  }

  /** @param {import("./kind.js").Box} box */
  fit(box) {
    this.#box = box;
    this.#timeline.update();
    if (this.#latest) this.#arrange(...this.#latest);
  }

  /**
   * @param {Stream[]} all @param {Picture} picture
   * @throws {TypeError}  if it can draw none of the values
   */
  update(all, picture) {
    const streams = this.#ordered(all);
    const series = streams.map(({ value }) => readPairs(value));
    const wrong = streams.find((stream, i) => !canDraw(stream, series[i], streams.length));
    if (wrong && streams.length === 1) throw misfit(this.#quantiles ? "quantiles" : "chart", SHOWS, wrong.value);
    this.#notes = series.flatMap((each) => (each ? [...(each.rows.length ? [] : [say("noRows", picture)]), ...each.notes.map(({ what, count }) => say(what, picture, { count }))] : []));
    if (wrong) this.#notes.push(`${label(wrong)}: ${describe(wrong.value, picture)}`);
    this.#latest = [streams, picture];
    this.#arrange(streams, picture);
    this.#timeline.update();
  }

  /** @param {Stream[]} all @param {Picture} picture @param {Spec} spec */
  draw(all, picture, spec) {
    const streams = this.#ordered(all);
    const [first] = streams;
    const series = streams.map(({ value }) => readPairs(value));
    if (isRanking(streams)) return;
    this.element.classList.toggle("scored", !!spec.score);
    const { description } = first;
    const days = daysOf(spec.compare ?? description.compare);
    this.#timeline.draw(streams, picture, {
      unit: this.#box.unit,
      window: windowOf(spec, description),
      series: series.map((each) => (each?.axis === "times" ? each : null)),
      compare: isSingle(streams) ? days : 0,
      against: days ? pastDay(days, picture.now, picture, NARROW) : "",
      log: spec.scale === "log",
      quantiles: this.#quantiles,
      axis: spec.score?.first ?? true,
      hairs: !spec.score,
      gutters: spec.score && SHARED,
      names: (room) => this.#names(streams, picture, room),
      edge: series.some(Boolean) ? "" : edgeText(streams, picture, Boolean(spec.score)),
      number: (scale) => scaleTexts(scale, description, picture),
      limit: ({ level, value }) => `${SIGNS[level]} ${scaleText(value, description, picture)}`,
      time: (tick) => axisText(tick, picture),
    });
    this.#timeline.spoken = this.#spoken(streams, picture);
    this.#judge(streams, picture);
  }

  /** @param {Stream[]} all @param {Picture} picture @param {Spec} spec @returns {import("./kind.js").Part[]} */
  evidence(all, picture, spec) {
    const streams = this.#ordered(all);
    const [{ description, value }] = streams;
    const more = isRanking(streams) && this.#ranking.more ? [say("more", picture, { count: this.#ranking.more })] : [];
    const unit = this.#shape(streams) === "plain" ? [] : this.#figure.apart;
    const notes = [...unit, ...[...more, ...this.#notes].map((text) => ({ text }))];
    if (!isSingle(streams) || typeof value !== "number") return notes;
    const days = daysOf(spec.compare ?? description.compare);
    const part = days
      ? changeAgainst(value, this.#timeline.ghost, days, description, picture, NARROW)
      : changeOf(knownPoints(streams[0], picture, windowOf(spec, description)).points, description, picture);
    return part ? [part, ...notes] : notes;
  }

  /** The streams to draw: at most `LINES`; quantiles from the lowest to the highest. @param {Stream[]} streams */
  #ordered(streams) {
    const some = streams.slice(0, LINES);
    return this.#quantiles ? inOrder(some, some.map(label)) : some;
  }

  /** Place the figure: left of the plot with the evidence below it, beside the plot, above it, or nowhere. */
  #shape(streams) {
    const width = this.#box.width;
    const height = this.#box.full + this.#box.foot;
    const figured = isSingle(streams) ? !isRanking(streams) : this.#quantiles;
    if (figured && width >= Math.max(SIDED.width, SIDED.ratio * height) && height >= SIDED.height) return "sided";
    if (!figured || !isSingle(streams)) return "plain";
    return width >= BESIDE && height < LOW ? "beside" : "below";
  }

  /** Give the figure, the lines and the ranking their room. @param {Stream[]} streams @param {Picture} picture */
  #arrange(streams, picture) {
    const shape = this.#shape(streams);
    for (const each of ["sided", "beside", "below", "plain"]) this.element.classList.toggle(each, each === shape);
    setHidden(this.#timeline.element, isRanking(streams));
    setHidden(this.#ranking.element, !isRanking(streams));
    if (isRanking(streams)) this.#rank(streams[0], picture);
    const { width } = this.#box;
    const side = width >= WIDE ? SIDE.wide : SIDE.other;
    const main = streams[streams.length - 1];
    if (shape !== "plain") {
      const lines = LINE * (shape === "sided" ? streams.length : 1) - this.#box.foot;
      const beside = { width: side, height: this.#box.height - lines, full: this.#box.full - lines };
      this.#figure.fit({ ...this.#box, size: "l", ...(shape === "below" ? { width, height: ABOVE, full: ABOVE } : beside) });
      this.#figure.update([newestOf(main)], picture);
      setProperty(this.#side, "--side", side);
    }
    this.#writePairs(shape === "sided" ? streams.slice(0, -1).reverse() : [], streams, picture);
    this.aside = shape === "plain" && !isRanking(streams) ? String(streams[0].description.unit ?? "") : "";
  }

  /** Show rows with names. @param {Stream} stream @param {Picture} picture */
  #rank({ value, description }, picture) {
    this.#ranking.fit({ ...this.#box, spare: 0 });
    const rows = readPairs(value)?.rows ?? [];
    this.#ranking.show(rows.map(({ x, y }) => ({ name: text(x, picture), value: y })), (number) => (number === null ? "—" : inline(number, description, picture)));
  }

  /** Write the other quantiles below the figure. */
  #writePairs(shown, streams, picture) {
    const names = namesBeside(streams.map(label));
    const texts = shown.flatMap((stream) => [names[streams.indexOf(stream)], inline(stream.value ?? null, { ...stream.description, unit: "" }, picture)]);
    while (this.#pairs.children.length > texts.length) this.#pairs.lastChild?.remove();
    texts.forEach((text, i) => {
      setText(this.#pairs.children[i] ?? addElement(i % 2 ? "dd" : "dt", "words", this.#pairs), text);
    });
    this.#judge(streams, picture);
  }

  /**
   * Show the states of the streams in the column, which may change without an update. The tile is current if any of its lines is.
   */
  #judge(streams, picture) {
    const [main, ...others] = [...streams].reverse();
    setData(this.#side, "level", levelOf(main, picture) || undefined);
    setData(this.#side, "state", stateOf(main, picture));
    [...this.#pairs.children].forEach((element, i) => setData(/** @type {HTMLElement} */ (element), "state", stateOf(others[i >> 1], picture)));
  }

  /** The names at the ends of the lines, with their values if no figure shows them and they have room. */
  #names(streams, picture, room) {
    if (isSingle(streams)) return [];
    const names = namesBeside(streams.map(label)).map((name, i) => [signOf(streams[i], picture), name].filter(Boolean).join(" "));
    if (this.#shape(streams) !== "plain") return names;
    const full = names.map((name, i) => {
      const { value, description } = newestOf(streams[i]);
      return typeof value === "number" ? `${name} ${inline(value, { ...description, unit: "" }, picture, true)}` : name;
    });
    return Math.max(...full.map(emsOf)) * NAME < NAMES * room ? full : names;
  }

  #spoken(streams, picture) {
    const { from, to, range } = this.#timeline;
    const names = streams.map(label).join(", ");
    if (!(range.low <= range.high)) return names;
    const { description } = streams[0];
    const [low, high] = [range.low, range.high].map((value) => inline(value, description, picture));
    return `${names}: ${say("range", picture, { low, high })}, ${duration(to - from, 1, picture)}`;
  }
}

/** Whether there is only one stream. @param {Stream[]} streams */
function isSingle(streams) {
  return streams.length === 1;
}

/** Whether the value of the streams is rows with names, which become a ranking. @param {Stream[]} streams */
function isRanking(streams) {
  const pairs = isSingle(streams) ? readPairs(streams[0].value) : null;
  return pairs?.axis === "names" && pairs.rows.length > 0;
}

/**
 * Whether a chart can show a stream's value. Rows with names are a ranking, which needs a tile of its own.
 * @param {Stream} stream @param {import("../draw/pairs.js").Pairs|null} pairs @param {number} count  of the streams on the tile
 */
function canDraw({ value }, pairs, count) {
  if (pairs) return pairs.axis === "times" || !pairs.rows.length || count === 1;
  return typeof value === "number" || value === null || value === undefined; // null, or no value yet, is a gap
}

/** The stream; if its value is a series, with the newest number as its value. @param {Stream} stream @returns {Stream} */
function newestOf(stream) {
  const pairs = readPairs(stream.value);
  return pairs ? { ...stream, value: pairs.rows[pairs.rows.length - 1]?.y ?? null } : stream;
}

/** The level of a value that is current. @param {Stream} stream @param {Picture} picture @returns {"warn"|"critical"|""} */
function levelOf(stream, picture) {
  const rank = rankOf(stateOf(stream, picture), stream.health.level);
  return rank === "warn" || rank === "critical" ? rank : "";
}

/** The sign of a stream's level, or of its failure. @param {Stream} stream @param {Picture} picture @returns {string} */
function signOf(stream, picture) {
  return SIGNS[rankOf(stateOf(stream, picture), stream.health.level)];
}

/** @type {import("./kind.js").Kind} */
export const chart = {
  name: "chart",
  suits: (value) => readPairs(value)?.axis === "times", // a number is a value, unless somebody asks for a chart
  several: true,
  parts: true,
  size: "l",
  least: { width: 24, height: 18 },
  Body: ChartBody,
};
