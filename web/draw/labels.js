/** Labels at the ends of lines, moved apart where they would cover each other. Pure. */

/** The distance of two labels, in heights of a label. */
const DISTANCE = 1.1;

/**
 * Where to write the labels, as near to the ends of their lines as there is room.
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
