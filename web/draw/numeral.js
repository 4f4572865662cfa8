/** The size of a numeral, and the place of its picture. Pure: all lengths are in u. */

/** The scale of numerals, from a single value on a screen to the smallest tile. */
const STEPS = [40, 26, 17, 11, 8, 5.6];
const [LOWEST] = STEPS.slice(-1);
/** The height of a line of text, as a share of its size. */
const TEXT_LINE = 1.12;
/** The scale of longer texts. Their lines are seldom full, because a word that does not fit goes to the next one. */
const TEXT_STEPS = [8, 5.6, 4.2, 3.1, 2.7];
const LOSS = 1.2;
/** The size of a unit: `share` of the numeral's size, but at least `least`. */
const UNIT = { least: 2.6, share: 0.34 };
/** The height of a numeral's line as a share of its size, and the space above it in u. */
const LINE = 0.94;
const ABOVE = 0.7;
/** The height of a line with letters that reach below it: otherwise "yes" would touch the evidence. See figure.css. */
const DEEP_LINE = 1.08;
const DEEP = /[gjpqyQ]|[^\P{L}a-zA-Z]/u;
/** The width of a column of evidence: `share` of the tile's width, between `least` and `most`. See figure.css. */
const SIDE = { least: 22.5, share: 0.36, most: 31 };
/** The space between the picture and the column of evidence, and between the picture and the numeral. */
const SPACE = { across: 2.4, beside: 1.6 };
/** The size of the smallest useful picture: beside the column, beside the numeral, below the numeral. */
const LEAST = { across: 18, beside: 7, below: 5.5 };
/**
 * The height in u that a numeral above the lowest step leaves free, beside its picture. A bar needs this height, so small tiles
 * with and without a bar have numerals of one size.
 */
const AIR = 2;
/** Above this step a numeral leaves this share of the width to the picture beside it. */
const LARGE = { step: 17, picture: 0.68 };
/** A box that is wider than this many times its height has its picture at the right. */
const WIDE = 1.7;
/** A box that is lower has no room for the smallest numeral above the evidence and beside the picture. */
const LOW = 5.9;

/** The widths of characters in em, in Inter of weight 550 with its tabular figures; other letters take 0.62. Below 20 pixels Inter is wider by some 5 %. */
const WIDTHS = new Map(
  /** @type {[number, string][]} */ ([
    [0.29, " .,:;'’·|!Iijl\u00a0\u202f"],
    [0.36, "frt/()[]"],
    [0.54, "aceksvxyzJ"],
    [0.58, "bdghnopquEFL"],
    [0.615, "0123456789+−<>=#"],
    [0.66, "BKPRSTXYZ■"],
    [0.74, "ACDGHNOQUV▲"],
    [0.79, "w"],
    [0.89, "mM%"],
    [1, "W@—"],
  ]).flatMap(([width, characters]) => [...characters].map((each) => /** @type {const} */ ([each, width]))),
);
const LETTER = 0.62;
/** Characters from here on may be as wide as they are high: CJK, emoji. */
const BROAD = 0x1100;

/** @typedef {"sided"|"beside"|"below"|"bare"} Shape  where the picture is; bare: there is no room for one */

/**
 * The width of a text, in em.
 * @param {string} text
 * @returns {number}
 */
export function emsOf(text) {
  let width = 0;
  for (const each of text) width += WIDTHS.get(each) ?? (Number(each.codePointAt(0)) >= BROAD && each !== "\u202f" ? 1.1 : LETTER);
  return width;
}

/**
 * Choose the step of a numeral and the place of its picture: the largest step at which both have room.
 * @param {{value: string, unit?: string, before?: string}} numeral  `before`: a sign of a currency
 * @param {{width: number, height: number, full?: number}} room  full: the height for which the numeral and its picture are
 *   arranged; if `height` is less, the numeral is smaller in the same arrangement
 * @param {boolean} pictured  whether there is a picture
 * @returns {{step: number, shape: Shape}}
 */
export function fitNumeral(numeral, { width, height, full = height }, pictured) {
  const { step, shape } = arrange(numeral, { width, height: full }, pictured);
  const line = reachesBelow(numeral.value) ? DEEP_LINE : LINE;
  return { step: Math.max(UNIT.least, Math.min(step, (height - ABOVE) / line)), shape };
}

/** Whether letters of a word may reach below the line. @param {string} value */
export function reachesBelow(value) {
  return DEEP.test(value);
}

/** The largest step that fits, and the shape that it leaves to the picture. @returns {{step: number, shape: Shape}} */
function arrange(numeral, box, pictured) {
  const orders = pictured ? [box.width > WIDE * box.height ? ["sided", "beside", "below"] : ["below", "sided", "beside"], ["bare"]] : [["bare"]];
  for (const shapes of orders) {
    for (const step of STEPS) {
      const found = /** @type {Shape[]} */ (shapes).find((shape) => fits(shape, step, widthAt(numeral, step), box));
      if (found) return { step, shape: found };
    }
  }
  const narrow = (LOWEST * box.width) / widthAt(numeral, LOWEST);
  return { step: Math.min(LOWEST, narrow), shape: "bare" };
}

/**
 * Whether a numeral of this step leaves enough room to the picture of this shape.
 * @param {Shape} shape
 * @param {number} step
 * @param {number} width  of the numeral
 * @param {{width: number, height: number}} box
 */
function fits(shape, step, width, box) {
  const height = step * LINE + ABOVE;
  if (width > box.width || height > box.height) return false;
  const least = step > LARGE.step ? LARGE.picture * box.width : 0;
  if (shape === "sided") return box.height >= LOW && box.width - Math.max(width, sideOf(box)) - SPACE.across >= Math.max(LEAST.across, least);
  if (shape === "beside" && step > LOWEST && height + AIR > box.height) return false;
  if (shape === "beside") return box.width - width - SPACE.beside >= Math.max(LEAST.beside, least);
  return shape === "bare" || box.height - height >= Math.max(LEAST.below, 0.6 * step);
}

/** The width of the column beside a picture, in u. @param {{width: number}} box */
function sideOf({ width }) {
  return Math.min(SIDE.most, Math.max(SIDE.least, SIDE.share * width));
}

/** The width of a numeral with its unit at a step. A unit without room may stand elsewhere, but one of three letters has room. */
function widthAt({ value, unit = "", before = "" }, step, most = 3 * LETTER) {
  const small = Math.max(UNIT.least, UNIT.share * step);
  const words = emsOf(before) + Math.min(emsOf(unit), most) + (before || unit ? 0.3 : 0);
  return step * emsOf(value) + small * words;
}

/**
 * Whether a unit has no room beside its numeral. A unit that is cut says nothing, or something else: of "mbar" is left "m".
 * @param {{value: string, unit?: string, before?: string}} numeral
 * @param {{step: number, shape: string}} fit  as `fitNumeral` returns it
 * @param {{width: number}} room
 * @returns {boolean}
 */
export function isUnitApart(numeral, { step, shape }, { width }) {
  const picture = shape === "sided" ? LEAST.across + SPACE.across : shape === "beside" ? LEAST.beside + SPACE.beside : 0;
  return emsOf(numeral.unit ?? "") > 3 * LETTER && widthAt(numeral, step, Infinity) > width - picture;
}

/**
 * Choose the size of a longer text: the largest step at which it fits.
 * @param {string} text
 * @param {{width: number, height: number}} box
 * @param {number[]} [steps]  the scale, the largest first
 * @returns {{step: number, lines: number}}  lines: the number of lines that have room
 */
export function fitText(text, box, steps = TEXT_STEPS) {
  const room = box.height - ABOVE;
  const linesAt = (step) => Math.floor(room / (TEXT_LINE * step));
  const needed = (step) => text.split("\n").reduce((sum, part) => sum + Math.max(1, Math.ceil((LOSS * emsOf(part) * step) / box.width)), 0);
  const step = steps.find((step) => needed(step) <= linesAt(step)) ?? steps[steps.length - 1];
  return { step, lines: Math.max(1, linesAt(step)) };
}
