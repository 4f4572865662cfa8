/**
 * Lines on a canvas: stepped, now at the right edge, a gap where nothing is known. Cheap enough to be drawn once a second.
 */

/** Of the canvas's height that is left free above and below the lines. */
const MARGIN = 0.08;
/** A line's width, and a character's of the names at the lines' ends, of the type's size. */
const WIDTH = 0.35 / 2.8;
const GLYPH = 0.58;

/**
 * @typedef {object} Line
 * @property {Float64Array} times  in seconds, ascending
 * @property {Float64Array} values  NaN: from here on nothing is known
 * @property {number} until  up to when the last value is known to be right
 * @property {string} [name]  written at its end
 *
 * @typedef {object} Limit
 * @property {number} value
 * @property {"warn"|"critical"} level
 * @property {string} text
 */

/**
 * What the lines' values span, and limits that are near enough to be seen with them.
 * @param {Line[]} lines
 * @param {Limit[]} [limits]
 * @returns {{low: number, high: number, bottom: number, top: number}}  the values', and the picture's
 */
export function span(lines, limits = []) {
  let [low, high] = [Infinity, -Infinity];
  for (const { values } of lines) {
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  const near = limits.map(({ value }) => value).filter((value) => Math.abs(value - (low + high) / 2) <= 1.5 * (high - low));
  return { low, high, bottom: Math.min(low, ...near), top: Math.max(high, ...near) };
}

/**
 * Draw anew.
 * @param {HTMLCanvasElement} canvas  its computed style gives font and colours: `color` for one line, `--text`, `--muted`,
 *   `--warn` and `--critical` for the rest
 * @param {Line[]} lines
 * @param {{from: number, to: number, limits?: Limit[]}} how  the times at the edges
 */
export function plot(canvas, lines, { from, to, limits = [] }) {
  const { clientWidth, clientHeight } = canvas;
  const scale = window.devicePixelRatio;
  const size = [Math.round(clientWidth * scale), Math.round(clientHeight * scale)];
  if (canvas.width !== size[0]) canvas.width = size[0];
  if (canvas.height !== size[1]) canvas.height = size[1];
  const draw = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  draw.setTransform(scale, 0, 0, scale, 0, 0);
  draw.clearRect(0, 0, clientWidth, clientHeight);
  const { low, bottom, top } = span(lines, limits);
  if (!(low < Infinity && to > from)) return;
  const style = getComputedStyle(canvas);
  const type = parseFloat(style.fontSize);
  const width = WIDTH * type;
  const longest = Math.max(...lines.map(({ name = "" }) => name.length));
  const edge = clientWidth - (longest ? (GLYPH * longest + 0.8) * type : 2 * width);
  const free = MARGIN * clientHeight + width;
  const x = (time) => ((Math.max(time, from) - from) / (to - from)) * edge;
  const y = (value) => (top === bottom ? clientHeight / 2 : clientHeight - free - ((value - bottom) / (top - bottom)) * (clientHeight - 2 * free));
  draw.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`; // the shorthand is empty beside tabular figures
  draw.lineJoin = "round";
  for (const limit of limits) if (limit.value >= bottom && limit.value <= top) dotted(draw, limit, y(limit.value), edge, width, style);
  const ends = lines.map((line, i) => {
    draw.strokeStyle = draw.fillStyle = i ? style.getPropertyValue(i % 2 ? "--text" : "--muted") : style.color;
    draw.lineWidth = width;
    return stepped(draw, line, x, y, width, to);
  });
  names(draw, lines, ends, edge + 3 * width, clientHeight, style);
}

function dotted(draw, { level, text }, height, edge, width, style) {
  draw.strokeStyle = draw.fillStyle = style.getPropertyValue(`--${level}`);
  draw.lineWidth = width / 2;
  draw.setLineDash([width / 2, 2 * width]);
  draw.beginPath();
  draw.moveTo(0, height);
  draw.lineTo(edge, height);
  draw.stroke();
  draw.setLineDash([]);
  const above = height > 1.5 * parseFloat(style.fontSize);
  draw.textBaseline = above ? "bottom" : "top";
  draw.fillText(text, 0, above ? height - width : height + width);
}

/** @returns {number|null} the height at which the line ends; null where it is broken */
function stepped(draw, { times, values, until }, x, y, width, now) {
  draw.beginPath();
  let level = NaN;
  for (let i = 0; i < times.length; i++) {
    const at = x(times[i]);
    if (!Number.isNaN(level)) draw.lineTo(at, y(level));
    level = values[i];
    if (Number.isNaN(level)) continue;
    if (i && !Number.isNaN(values[i - 1])) draw.lineTo(at, y(level));
    else draw.moveTo(at, y(level));
  }
  if (Number.isNaN(level)) {
    draw.stroke();
    return null;
  }
  const end = x(Math.max(until, times[times.length - 1]));
  draw.lineTo(end, y(level));
  draw.stroke();
  if (until >= now) {
    draw.beginPath();
    draw.arc(end, y(level), 1.4 * width, 0, 2 * Math.PI);
    draw.fill();
  }
  return y(level);
}

/** At the lines' ends; those that would cover each other are moved apart. */
function names(draw, lines, ends, left, height, style) {
  const size = parseFloat(style.fontSize);
  const placed = lines.map(({ name }, i) => ({ name, i, y: ends[i] ?? NaN })).filter(({ name, y }) => name && !Number.isNaN(y));
  placed.sort((a, b) => a.y - b.y);
  let free = size / 2;
  for (const each of placed) {
    each.y = Math.max(each.y, free);
    free = each.y + 1.1 * size;
  }
  let floor = height - size / 2;
  draw.textBaseline = "middle";
  for (const { name, i, y } of placed.reverse()) {
    draw.fillStyle = i ? style.getPropertyValue(i % 2 ? "--text" : "--muted") : style.color;
    draw.fillText(name, left, Math.min(y, floor));
    floor = Math.min(y, floor) - 1.1 * size;
  }
}
