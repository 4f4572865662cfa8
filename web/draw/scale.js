/** From times and values to pixels. Pure. */

/**
 * @typedef {object} Limit
 * @property {number} value
 * @property {"warn"|"critical"} level
 * @property {string} text
 */

/**
 * The range of the lines' values, widened to the limits that lie near it.
 *
 * A far limit would flatten the lines. A limit is near if it is at most one range above the highest or below the lowest value.
 * @param {{values: Float64Array}[]} lines  NaN is no value
 * @param {Limit[]} [limits]
 * @returns {{low: number, high: number, bottom: number, top: number}}  of the values, and of the picture; Infinity and
 *   -Infinity if there are no values
 */
export function valueRange(lines, limits = []) {
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
 * From a time to its distance from the left edge. A time before `from` is at the edge.
 * @param {number} from  in seconds
 * @param {number} to  in seconds, later than `from`
 * @param {number} width  in pixels
 * @returns {(time: number) => number}  in pixels
 */
export function timeScale(from, to, width) {
  return (time) => ((Math.max(time, from) - from) / (to - from)) * width;
}

/**
 * From a value to its distance from the upper edge. A range of one value is in the middle.
 * @param {{bottom: number, top: number}} range
 * @param {number} height  in pixels
 * @param {number} margin  pixels above and below the range
 * @returns {(value: number) => number}  in pixels
 */
export function valueScale({ bottom, top }, height, margin) {
  if (top === bottom) return () => height / 2;
  return (value) => height - margin - ((value - bottom) / (top - bottom)) * (height - 2 * margin);
}
