/** The path of a stepped line. Pure: it knows its pen as two functions. */

/**
 * @typedef {object} Line
 * @property {Float64Array} times  in seconds, ascending
 * @property {Float64Array} values  NaN: from here on nothing is known
 * @property {number} until  up to when the last value is known to be right, in seconds
 * @property {string} [name]  written at its end
 */

/**
 * Trace a line in steps: a value holds until the next one. A NaN begins a gap, which is never bridged.
 * @param {{moveTo: (x: number, y: number) => void, lineTo: (x: number, y: number) => void}} pen
 * @param {Line} line
 * @param {(time: number) => number} x
 * @param {(value: number) => number} y
 * @returns {{x: number, y: number}|null}  where it ends; null if it ends in a gap or has no points
 */
export function traceSteps(pen, { times, values, until }, x, y) {
  let value = NaN;
  for (let i = 0; i < times.length; i++) {
    const at = x(times[i]);
    const drawn = !Number.isNaN(value);
    if (drawn) pen.lineTo(at, y(value));
    value = values[i];
    if (Number.isNaN(value)) continue;
    if (drawn) pen.lineTo(at, y(value));
    else pen.moveTo(at, y(value));
  }
  if (Number.isNaN(value)) return null;
  const end = { x: x(Math.max(until, times[times.length - 1])), y: y(value) };
  pen.lineTo(end.x, end.y);
  return end;
}
