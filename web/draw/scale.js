/** Scales: the range of values of a picture, the height of each value, and the values that have a line. Pure. */

/** A limit widens a scale if it is at most this many ranges away from the values; a limit farther away would flatten the line. */
const NEAR = 1;
/** The same for a logarithmic scale, as a factor. */
const NEAR_FACTOR = 4;
/** Steps between the lines of a scale, times a power of ten. */
const STEPS = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];
/** If the lowest value is below this share of the highest, a scale begins at zero: that flattens the line only a little. */
const NEAR_ZERO = 0.4;
/** The most lines of a logarithmic scale: more than usual, because they show that it is logarithmic. */
const MOST_LOG = 6;
/** The free space above and below the values, as a share of their range. */
const FREE = 0.08;

/**
 * @typedef {object} Limit
 * @property {number} value
 * @property {"warn"|"critical"} level
 * @property {boolean} above  whether the values above it are bad; otherwise the values below it are
 *
 * @typedef {object} Scale
 * @property {number} bottom  the value at the lower edge
 * @property {number} top  the value at the upper edge
 * @property {boolean} log
 * @property {number[]} ticks  values with a line, ascending: two or three, on a logarithmic scale up to five
 *
 * @typedef {object} Wishes  for a scale
 * @property {boolean} [zero]  whether to begin at zero, because the area below the line means something
 * @property {boolean} [log]
 * @property {Limit[]} [limits]
 */

/**
 * The scale of these values.
 * @param {{low: number, high: number}} range  of the values; low is not above high
 * @param {Wishes} [wishes]
 * @returns {Scale}
 */
export function scaleOf({ low, high }, { zero = false, log = false, limits = [] } = {}) {
  const values = limits.map(({ value }) => value);
  return log && high > 0 ? logScale(low, high, values) : linearScale(low, high, zero, values);
}

/** A scale on which equal differences have equal distances. @returns {Scale} */
function linearScale(low, high, zero, limits) {
  if (low === 0 && high === 0) high = 1; // a line of zeros lies on the lower edge
  const fromZero = low >= 0 && high > 0 && (zero || low < NEAR_ZERO * high);
  if (zero || fromZero) low = Math.min(0, low);
  if (zero) high = Math.max(0, high);
  const range = high - low || Math.abs(high) || 1;
  const near = limits.filter((value) => value <= high + NEAR * range && value >= low - NEAR * range && (!fromZero || value >= 0));
  [low, high] = [Math.min(low, ...near), Math.max(high, ...near)];
  return fromZero ? scaleFromZero(high) : scaleAround(low, high);
}

/** A scale from zero up to a round number, with a line in the middle. @returns {Scale} */
function scaleFromZero(high) {
  const step = niceStep(high / 2);
  return { bottom: 0, top: 2 * step, log: false, ticks: [0, step, 2 * step] };
}

/** The smallest of `STEPS`, times a power of ten, that is not below a size. */
function niceStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  const factor = STEPS.find((step) => step * power >= size * (1 - 1e-9)) ?? 10;
  return tidy(factor * power);
}

/** A scale around the values, with lines at two or three round numbers. @returns {Scale} */
function scaleAround(low, high) {
  const size = high - low > 0 ? high - low : Math.max(Math.abs(high) / 10, 1e-300);
  const free = size * (high > low ? FREE : 1);
  const [bottom, top] = [Math.max(low - free, -Number.MAX_VALUE), Math.min(high + free, Number.MAX_VALUE)];
  const choices = [2, 3, 4, 6].map((parts) => multiples(niceStep(top / parts - bottom / parts), bottom, top));
  const ticks = choices.find(({ length }) => length === 3) ?? choices.find(({ length }) => length === 2) ?? choices[3];
  return { bottom, top, log: false, ticks: ticks.length > 3 ? ticks.filter((_, i) => i % 2 === 0) : ticks };
}

/** The multiples of a step within a range. */
function multiples(step, bottom, top) {
  const first = Math.ceil(bottom / step);
  return Array.from({ length: Math.floor(top / step) - first + 1 }, (_, i) => tidy((first + i) * step));
}

/** A scale on which equal ratios have equal distances. @returns {Scale} */
function logScale(low, high, limits) {
  const floor = Math.max(low, high / 1e6); // zero and less have no place: they are at the lower edge
  const near = limits.filter((value) => value > 0 && value <= high * NEAR_FACTOR && value >= floor / NEAR_FACTOR);
  const [bottom, top] = [Math.min(floor, ...near) / 1.25, Math.min(Math.max(high, ...near) * 1.25, Number.MAX_VALUE)];
  /** @type {number[]} */
  let ticks = [];
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    ticks = powers(bottom, top).flatMap((power) => factors.map((factor) => tidy(factor * power))).filter((tick) => tick >= bottom && tick <= top);
    if (ticks.length <= MOST_LOG) break;
  }
  const every = Math.ceil(ticks.length / MOST_LOG);
  return { bottom, top, log: true, ticks: ticks.filter((_, i) => i % every === 0) };
}

function powers(bottom, top) {
  const first = Math.floor(Math.log10(bottom));
  return Array.from({ length: Math.floor(Math.log10(top)) - first + 1 }, (_, i) => 10 ** (first + i));
}

/** A number rounded so that 0.1 + 0.2 is 0.3. */
function tidy(value) {
  return Number(value.toPrecision(15));
}

/**
 * How many decimals the numbers of a scale need to differ.
 * @param {Scale} scale
 * @returns {number}
 */
export function decimalsOf({ ticks }) {
  const steps = ticks.slice(1).map((tick, i) => tick - ticks[i]);
  return Math.min(10, Math.max(0, ...steps.map((step) => Math.ceil(-Math.log10(step) - 1e-9))));
}

/**
 * A function from a value to its height: 0 at the lower edge, 1 at the upper. A value outside is at the edge.
 * @param {Scale} scale
 * @returns {(value: number) => number}
 */
export function heightOn({ bottom, top, log }) {
  const at = log ? (value) => Math.log(Math.max(value, bottom)) : (value) => value / 2; // a range may be twice the largest number
  const [low, size] = [at(bottom), at(top) - at(bottom)];
  return (value) => (size > 0 ? Math.min(1, Math.max(0, (at(value) - low) / size)) : 0.5);
}

/**
 * The lowest and highest of many points.
 * @param {import("./points.js").Point[][]} lines
 * @returns {{low: number, high: number}}  Infinity and -Infinity if nothing is known
 */
export function rangeOf(lines) {
  let [low, high] = [Infinity, -Infinity];
  for (const points of lines) {
    for (const point of points) {
      if (point[1] < low) low = point[1];
      if (point[3] > high) high = point[3];
    }
  }
  return { low, high };
}

/**
 * The limits that a scale can show: numbers with "<" or ">".
 * @param {{warn?: unknown, critical?: unknown}} description  of a stream
 * @returns {Limit[]}
 */
export function limitsOf(description) {
  return /** @type {const} */ (["warn", "critical"]).flatMap((level) => {
    const [, sign, number] = String(description[level] ?? "").match(/^\s*([<>])=?\s*(\S+)\s*$/) ?? [];
    return number && Number.isFinite(Number(number)) ? [{ value: Number(number), level, above: sign === ">" }] : [];
  });
}

/** Formats whose numbers are sums: the area below their line means something. */
const SUMS = ["money", "bytes"];
/** Units of numbers that are not counted, although they may be whole. */
const MEASURED = /^(°|%|ms$|s$|µs$|V$|A$|dB|hPa$|mbar$|ppm$|kg$|m$|cm$|mm$|km)/;

/**
 * Whether a stream's line rises from zero: it is money, or a count.
 * @param {{format?: unknown, unit?: unknown}} description
 * @param {import("./points.js").Point[]} points  of its own updates
 * @returns {boolean}
 */
export function risesFromZero({ format = "number", unit = "" }, points) {
  if (SUMS.includes(String(format))) return true;
  if (format !== "number" || MEASURED.test(String(unit))) return false;
  return points.every(([, low, , high]) => Number.isNaN(low) || (low >= 0 && Number.isInteger(low) && Number.isInteger(high)));
}
