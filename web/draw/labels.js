/** Places for texts that would cover each other. Pure. */

/** The distance of two labels, in heights of a label. */
const DISTANCE = 1.1;

/**
 * The places of the labels at the ends of lines: as near to the ends as possible without covering each other.
 * @param {(number|null)[]} ends  the height of each line's end, in pixels from above; null: no label
 * @param {number} size  a label's height, in pixels
 * @param {number} height  of the picture, in pixels
 * @returns {(number|null)[]}  the middle of each label, in the order of `ends`
 */
export function placeLabels(ends, size, height) {
  const places = [...ends];
  const order = [...ends.keys()].filter((i) => ends[i] !== null).sort((a, b) => Number(ends[a]) - Number(ends[b]));
  let highest = size / 2;
  for (const i of order) {
    places[i] = Math.max(Number(places[i]), highest);
    highest = places[i] + DISTANCE * size;
  }
  // That may have pushed the last ones out of the picture: push back from below.
  let lowest = height - size / 2;
  for (const i of order.reverse()) {
    places[i] = Math.min(Number(places[i]), lowest);
    lowest = places[i] - DISTANCE * size;
  }
  return places;
}

/**
 * Which marks of a scale are kept beside more important labels.
 * @param {number[]} marks  their heights, in pixels
 * @param {number[]} taken  the heights of the other labels
 * @param {number} size  a label's height, in pixels
 * @returns {boolean[]}
 */
export function keptMarks(marks, taken, size) {
  return marks.map((mark) => taken.every((other) => Math.abs(mark - other) >= DISTANCE * size));
}

/**
 * The side of each flag's word: right of the flag's line, or else left of it. A word that would cover another flag or word is
 * left out, an older word first.
 * @param {{x: number, width: number}[]} flags  in the order of time: the place of the line and the width of the word, in pixels
 * @param {{left: number, right: number, gap: number}} room  the edges, and the distance between a word and a line, in pixels
 * @returns {("right"|"left"|null)[]}
 */
export function placeFlags(flags, { left, right, gap }) {
  /** @type {("right"|"left"|null)[]} */
  const sides = flags.map(() => null);
  let free = right; // no word reaches over this
  for (let i = flags.length - 1; i >= 0; i--) {
    const { x, width } = flags[i];
    const former = flags[i - 1]?.x ?? left - gap;
    if (x + gap + width <= free) sides[i] = "right";
    else if (x <= free && x - gap - width >= former + gap) sides[i] = "left";
    free = Math.min(free, sides[i] === "left" ? x - gap - width - gap : x - gap);
  }
  return sides;
}
