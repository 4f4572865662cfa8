/**
 * What is wrong with the picture of a wall, as far as a page can tell: texts that overlap, are cut, too small or too pale, that lie
 * over marks, and tiles that claim to be current and are not. No server hands this out.
 *
 *     const texts = collect();            // before the texts are hidden
 *     document.body.classList.add(BARE)   // the caller hides them, and takes a picture of what is behind them
 *     faultsOf(texts, pixels)             // one sentence per fault
 *
 * @typedef {{left: number, top: number, right: number, bottom: number}} Box  in pixels of the whole page
 *
 * @typedef {object} Text  a line of text that is drawn
 * @property {string} text
 * @property {Element} element
 * @property {Box} box  its ink, without what is clipped
 * @property {number} size  of its type, in pixels
 * @property {number[]} colour
 * @property {boolean} hollow  whether only its outline is drawn
 * @property {Element|null} tile
 */

/** The least size of type, in u, and the least contrast (WCAG 2.2, 1.4.3). */
const LEAST_SIZE = 2.2;
const LEAST_CONTRAST = 4.5;
/** The share of a text's ground that may be of another colour, an edge that it touches; or else one line of its pixels. */
const UNEVEN = 0.04;
/** The contrast from which on another colour is a mark. */
const MARK = 1.3;
/** Pixels that boxes may share: glyphs have soft edges. */
const TOUCH = 1.5;
/** The part of its size by which a numeral may leave its tile: it hangs by the space that is left of its first digit. */
const HANG = 0.1;
/** The distance of two colours that look the same, and the pixels of an edge that may have such a colour by chance. */
const SAME = 30;
const FEW = 6;
/** Half of the width of a limit's line, at most, in pixels. */
const STROKE = 3;
/** Parts that hide a text as a whole when it has no room, which is right: what is left out says less than what is shown. */
const YIELDING = ".foot, #zones, #summary";
/** Texts for readers of the page that no screen shows, and the texts that only a page without scripts shows. */
const UNSEEN = "#aloud, #expiry, .expiry, noscript, script, style, title, [data-link=lost] header";
/** Names on bars, which reach over their ends: both grounds are theirs. */
const ON_BARS = ".ranked .name";
/** What is no value: labels, and the scale of a picture with its limits. */
const NO_VALUE = ".words, .name, .tick, .edge";

const brush = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d", { willReadFrequently: true }));

/** Every line of text that is drawn, and the faults of those that are cut. @returns {{texts: Text[], faults: string[], unit: number}} */
export function collect() {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  /** @type {Text[]} */
  const texts = [];
  /** @type {string[]} */
  const faults = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = /** @type {Element} */ (node.parentElement);
    if (!node.textContent?.trim() || element.closest(UNSEEN) || !isVisible(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) {
      if (rect.width > 0.5) read(element, node.textContent.trim(), rect, texts, faults);
    }
  }
  return { texts, faults, unit: unitOf() };
}

/** @param {Element} element */
function isVisible(element) {
  return element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
}

/** The pixels of u. */
function unitOf() {
  const probe = document.createElement("div");
  probe.style.cssText = "position: absolute; width: calc(100 * var(--u))";
  document.body.append(probe);
  const { width } = probe.getBoundingClientRect();
  probe.remove();
  return width / 100;
}

/** Read one line of a text. @param {Element} element @param {string} text @param {DOMRect} rect @param {Text[]} texts @param {string[]} faults */
function read(element, text, rect, texts, faults) {
  const style = getComputedStyle(element);
  brush.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  const ink = brush.measureText(text);
  const scale = rect.height / (ink.fontBoundingBoxAscent + ink.fontBoundingBoxDescent);
  const baseline = rect.top + ink.fontBoundingBoxAscent * scale;
  const whole = {
    left: rect.left,
    right: rect.right,
    top: Math.max(rect.top, baseline - ink.actualBoundingBoxAscent * scale),
    bottom: Math.min(rect.bottom, baseline + ink.actualBoundingBoxDescent * scale),
  };
  const { box, ends } = clipped(element, whole);
  const said = name(text, element);
  if (box.right - box.left < TOUCH || box.bottom - box.top < TOUCH) {
    if (!element.closest(YIELDING) && !ends) faults.push(`${said} is out of sight`);
    return;
  }
  const loss = Math.max(whole.right - box.right, box.left - whole.left);
  if (loss > TOUCH && !ends) faults.push(`${said} is cut without an ellipsis`);
  if (loss > TOUCH && ends && /^[^\p{L}]*\d[^\p{L}]*$/u.test(text)) faults.push(`${said} is a number that is cut`);
  if (Math.max(whole.bottom - box.bottom, box.top - whole.top) > TOUCH && !element.closest(YIELDING)) faults.push(`${said} is cut from above or below`);
  const hollow = parseFloat(style.webkitTextStrokeWidth) > 0;
  const shade = element instanceof SVGElement ? style.fill : hollow ? style.webkitTextStrokeColor : style.webkitTextFillColor;
  const size = parseFloat(style.fontSize) * (element instanceof SVGElement ? Math.min(1, scale) : 1);
  texts.push({ text, element, box: moved(box), size, colour: rgb(shade), hollow, tile: element.closest(".tile") });
}

/** The part of a box that its ancestors do not clip, and whether an ellipsis stands where they do. @param {Element} element @param {Box} box */
function clipped(element, box) {
  let [rest, ends] = [box, false];
  for (let one = /** @type {Element|null} */ (element); one && one !== document.body; one = one.parentElement) {
    const style = getComputedStyle(one);
    if (style.overflowX === "visible" && style.overflowY === "visible") continue;
    const { left, top, right, bottom } = one.getBoundingClientRect();
    if (right < rest.right - TOUCH || left > rest.left + TOUCH) ends ||= style.textOverflow === "ellipsis";
    ends ||= style.webkitLineClamp !== "none";
    rest = {
      left: Math.max(rest.left, left),
      right: Math.min(rest.right, right),
      top: Math.max(rest.top, top),
      bottom: Math.min(rest.bottom, bottom),
    };
  }
  return { box: rest, ends };
}

/** @param {Box} box @returns {Box}  on the whole page */
function moved({ left, top, right, bottom }) {
  return { left: left + scrollX, right: right + scrollX, top: top + scrollY, bottom: bottom + scrollY };
}

/** How a fault names a text. @param {string} text @param {Element} element */
function name(text, element) {
  const tile = /** @type {HTMLElement|null} */ (element.closest(".tile"));
  const where = tile ? `${tile.dataset.kind} ${JSON.stringify(tile.querySelector("h2")?.textContent?.slice(0, 40))}` : element.closest("[id]")?.id;
  return `${where}: ${JSON.stringify(text.slice(0, 40))} (${element.getAttribute("class") || element.tagName.toLowerCase()})`;
}

/** @param {string} colour  in CSS @returns {number[]}  red, green, blue */
function rgb(colour) {
  brush.clearRect(0, 0, 1, 1);
  brush.fillStyle = colour;
  brush.fillRect(0, 0, 1, 1);
  return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
}

/**
 * All faults of a picture.
 * @param {{texts: Text[], faults: string[], unit: number}} collected
 * @param {ImageData} pixels  of the whole page, without its texts
 * @returns {string[]}
 */
export function faultsOf({ texts, faults, unit }, pixels) {
  const each = texts.flatMap((text) => [...sizeFaults(text, unit), ...groundFaults(text, pixels), ...placeFaults(text)]);
  return [...faults, ...each, ...overlaps(texts), ...claims(texts), ...colourClaims(pixels)];
}

/** @param {Text} text @param {number} unit */
function sizeFaults({ text, element, size }, unit) {
  return size < LEAST_SIZE * unit - 0.1 ? [`${name(text, element)} has type of ${(size / unit).toFixed(2)} u`] : [];
}

/** A text that leaves its tile or the page. @param {Text} text */
function placeFaults({ text, element, box, size, tile }) {
  const page = document.documentElement.clientWidth;
  if (box.right > page + 1 || box.left < -1) return [`${name(text, element)} leaves the page`];
  if (!tile) return [];
  const room = moved(tile.getBoundingClientRect());
  const outside = box.right > room.right + TOUCH || box.left < room.left - Math.max(TOUCH, HANG * size) || box.bottom > room.bottom + TOUCH || box.top < room.top - TOUCH;
  return outside ? [`${name(text, element)} leaves its tile`] : [];
}

/** Too little contrast with what is behind it, or a mark behind it. @param {Text} text @param {ImageData} pixels */
function groundFaults({ text, element, box, colour }, pixels) {
  const behind = coloursOf(box, pixels);
  const [[ground] = [], [second] = []] = [...behind].sort(([, a], [, b]) => b - a);
  if (ground === undefined) return [];
  if (second !== undefined && element.matches(ON_BARS) && contrast(colour, channels(second)) >= LEAST_CONTRAST) behind.delete(second);
  const total = [...behind.values()].reduce((sum, count) => sum + count, 0);
  const base = channels(ground);
  const seen = contrast(colour, base);
  const faults = seen < LEAST_CONTRAST ? [`${name(text, element)} has a contrast of ${seen.toFixed(2)}`] : [];
  const other = [...behind].filter(([key]) => contrast(channels(key), base) > MARK).reduce((sum, [, count]) => sum + count, 0);
  return other > Math.max(UNEVEN * total, Math.ceil(box.right) - Math.floor(box.left)) ? [...faults, `${name(text, element)} lies over a mark (${Math.round((100 * other) / total)} % of its ground)`] : faults;
}

/** How many pixels of each colour a box has, by the four bytes of the colour. @param {Box} box @param {ImageData} pixels @returns {Map<number, number>} */
function coloursOf({ left, top, right, bottom }, { data, width, height }) {
  const colours = new Uint32Array(data.buffer);
  const found = new Map();
  for (let y = Math.max(0, Math.ceil(top)); y < Math.min(height, bottom); y++) {
    for (let x = Math.max(0, Math.ceil(left)); x < Math.min(width, right); x++) {
      const key = colours[y * width + x];
      found.set(key, (found.get(key) ?? 0) + 1);
    }
  }
  return found;
}

/** Red, green and blue of a pixel. @param {number} key */
function channels(key) {
  return [key & 255, (key >> 8) & 255, (key >> 16) & 255];
}

/** @param {number[]} one @param {number[]} other @returns {number}  as WCAG defines it */
function contrast(one, other) {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

/** @param {number[]} colour */
function luminance(colour) {
  const [r, g, b] = colour.map((one) => (one / 255 <= 0.04045 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Whether a text is in the strip at the bottom, which has a ground and lies above what is scrolled. @param {Text} text */
function isStrip({ element }) {
  return element.closest("#notice") !== null;
}

/** @param {Text[]} texts */
function overlaps(texts) {
  const faults = [];
  texts.forEach((one, i) => {
    for (const other of texts.slice(i + 1)) {
      if (one.element === other.element || isStrip(one) !== isStrip(other)) continue;
      const wide = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const high = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
      if (wide > TOUCH && high > TOUCH) faults.push(`${name(one.text, one.element)} overlaps ${name(other.text, other.element)}`);
    }
  });
  return faults;
}

/** A tile whose value is not current. @param {Element|null} tile */
function isOver(tile) {
  return tile !== null && /** @type {HTMLElement} */ (tile).dataset.state !== "current";
}

/** A value in full ink or colour, or the word "now", on a tile that is not current. @param {Text[]} texts */
function claims(texts) {
  const full = ["--text", "--data", "--warn", "--critical"].map((property) => rgb(getComputedStyle(document.documentElement).getPropertyValue(property)));
  const muted = rgb(getComputedStyle(document.documentElement).getPropertyValue("--muted"));
  return texts.flatMap(({ text, element, colour, hollow, tile }) => {
    if (!isOver(tile)) return [];
    if (text === "now") return [`${name(text, element)} says "now"`];
    const strong = full.some((one) => distance(one, colour) < 3 && distance(muted, colour) > 3);
    const said = element.closest(".body") && !element.closest(NO_VALUE);
    return said && strong && !hollow ? [`${name(text, element)} has the ink of a current value`] : [];
  });
}

/** Marks in a colour that means now, on a tile that is not current. @param {ImageData} pixels */
function colourClaims(pixels) {
  const style = getComputedStyle(document.documentElement);
  const [ground, muted, ...colours] = ["--ground", "--muted", "--data", "--warn", "--critical"].map((property) => rgb(style.getPropertyValue(property)));
  const told = colours.filter((colour) => distance(colour, ground) > SAME && distance(colour, muted) > SAME);
  return [...document.querySelectorAll(".tile:not([hidden])")].filter(isOver).flatMap((tile) => {
    if (tile.querySelector("img")) return []; // it has colours of its own
    const limits = [...tile.querySelectorAll(".limit")].map((limit) => limit.getBoundingClientRect());
    const count = colouredIn(tile.getBoundingClientRect(), pixels, told) - limits.reduce((sum, limit) => sum + colouredIn(widened(limit), pixels, told), 0);
    return count > FEW ? [`${name("", tile)} has ${count} pixels in a colour of now`] : [];
  });
}

/** How many pixels of a box have one of these colours, or nearly. @param {Box} box  in the window @param {ImageData} pixels @param {number[][]} colours */
function colouredIn(box, pixels, colours) {
  const found = [...coloursOf(moved(box), pixels)].filter(([key]) => colours.some((colour) => distance(colour, channels(key)) < SAME));
  return found.reduce((sum, [, count]) => sum + count, 0);
}

/** The box of a line with the width of its stroke. @param {DOMRect} box */
function widened({ left, top, right, bottom }) {
  return { left: left - 1, right: right + 1, top: top - STROKE, bottom: bottom + STROKE };
}

/** @param {number[]} one @param {number[]} other */
function distance(one, other) {
  return Math.hypot(...one.map((part, i) => part - other[i]));
}
