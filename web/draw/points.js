/**
 * The points of a line. Pure.
 *
 * A point holds until the next one. A point without a number begins a gap, which no line bridges.
 *
 * @typedef {[time: number, low: number, middle: number, high: number, last: number]} Point  seconds since 1970, then numbers in the
 *   order of the server's slots; four times NaN: nothing is known from here on
 */

/** The points of updates. @param {ArrayLike<number>} times @param {ArrayLike<number>} values  NaN: a gap @returns {Point[]} */
export function pointsOf(times, values) {
  return Array.from(times, (time, i) => point(time, values[i]));
}

/** A point of one number. @param {number} time @param {number} value  NaN: a gap @returns {Point} */
export function point(time, value) {
  return [time, value, value, value, value];
}

/** Whether a point is a gap: its number is unknown. @param {Point} point @returns {boolean} */
export function isGap([, low]) {
  return Number.isNaN(low);
}

/**
 * The points of a period as the server answers: its slots, with gaps where slots are missing and where silences are.
 * @param {{points: Point[], width: number, to: number, silences?: [number, number|null][]}} period  GET /streams/NAME?from=&to=
 * @returns {Point[]}
 */
export function pointsOfPeriod({ points: slots, width, to, silences = [] }) {
  /** @type {Point[]} */
  const points = [];
  slots.forEach((slot, i) => {
    points.push(slot);
    const end = Math.min(slot[0] + width, Math.max(to, slot[0]));
    const next = slots[i + 1]?.[0] ?? Infinity;
    if (next > end + width / 2) points.push(point(end, i + 1 < slots.length ? NaN : slot[4]));
  });
  return silences.reduce((known, [from, until]) => withGap(known, from, until ?? Infinity), points);
}

/** The points with a gap. After it the value from before it holds again, unless a point has another one. @returns {Point[]} */
function withGap(points, from, until) {
  const first = points.findIndex(([time]) => time >= from);
  const before = first < 0 ? points : points.slice(0, first);
  if (!before.length) return points.filter(([time]) => time >= until);
  const inside = points.slice(before.length).filter(([time]) => time < until);
  const after = points.slice(before.length + inside.length);
  const held = (inside.at(-1) ?? before[before.length - 1])[4];
  const resumed = until < Infinity && after[0]?.[0] !== until ? [point(until, held)] : [];
  return [...before, point(from, NaN), ...resumed, ...after];
}

/**
 * The points of a window: those within it, and the one that held when the window began, moved to its beginning.
 * @param {Point[]} points  ascending
 * @param {number} from  in seconds
 * @param {number} to  in seconds
 * @returns {Point[]}
 */
export function within(points, from, to) {
  let start = 0;
  while (start + 1 < points.length && points[start + 1][0] <= from) start++;
  let end = points.length;
  while (end > start && points[end - 1][0] > to) end--;
  const cut = points.slice(start, end);
  if (cut.length && cut[0][0] < from) cut[0] = [from, cut[0][1], cut[0][2], cut[0][3], cut[0][4]];
  return cut;
}

/**
 * The points combined in slots of equal time. Several numbers in a slot become their range and their mean, weighted by time. A
 * number that holds for several slots stays one point. Gaps stay where they are. Slots begin at multiples of their width, so a
 * picture that moves on does not flicker.
 * @param {Point[]} points  ascending
 * @param {number} width  of a slot, in seconds
 * @param {number} until  up to when the last point holds, in seconds
 * @returns {Point[]}
 */
export function coarsened(points, width, until) {
  /** @type {Point[]} */
  const coarse = [];
  for (let i = 0; i < points.length; ) {
    let end = i;
    while (end < points.length && !isGap(points[end])) end++;
    if (end > i) coarsenRun(points.slice(i, end), width, points[end]?.[0] ?? until, coarse);
    for (; end < points.length && isGap(points[end]); end++) if (!coarse.length || !isGap(coarse[coarse.length - 1])) coarse.push(points[end]);
    i = end;
  }
  return coarse;
}

/**
 * The points combined in slots, but the newest number as a point of its own, because it holds now.
 * @param {Point[]} points  ascending
 * @param {number} width  of a slot, in seconds
 * @param {number} until  up to when the last point holds, in seconds
 * @returns {Point[]}
 */
export function coarsenedUpToNow(points, width, until) {
  const last = points[points.length - 1];
  if (!last || last[1] !== last[3]) return coarsened(points, width, until); // a gap, or already a slot
  const former = coarsened(points.slice(0, -1), width, last[0]);
  addChanged(former, last);
  return former;
}

/** Adds the slots of points without a gap. @param {Point[]} run @param {number} width @param {number} end @param {Point[]} coarse */
function coarsenRun(run, width, end, coarse) {
  /** @type {Point|null} */
  let slot = null;
  let weight = 0;
  const close = () => slot && addChanged(coarse, slot);
  run.forEach((one, i) => {
    let from = one[0];
    const to = Math.max(run[i + 1]?.[0] ?? end, from);
    do {
      const piece = /** @type {Point} */ (from === one[0] ? one : point(from, one[4]));
      const until = Math.min(to, heldUntil(piece, width, to));
      if (slot && slotOf(from, width) === slotOf(slot[0], width)) slot = combined(slot, weight, piece, until - from);
      else {
        close();
        slot = piece;
        weight = 0;
      }
      weight += until - from;
      from = until;
    } while (from < to);
  });
  close();
}

/**
 * The slot of a time. The end of a slot belongs to the next slot, even if a fraction was rounded down.
 * @param {number} time
 * @param {number} width
 */
function slotOf(time, width) {
  const slot = Math.floor(time / width);
  return (slot + 1) * width <= time ? slot + 1 : slot;
}

/**
 * The end of the slot in which a piece begins. If the piece is one number that holds for whole slots: the end of the last whole
 * slot before `to`.
 * @param {Point} piece @param {number} width @param {number} to
 */
function heldUntil([from, low, , high], width, to) {
  const slot = slotOf(from, width);
  const isWhole = slot * width === from && low === high;
  return Math.max((slot + 1) * width, isWhole ? slotOf(to, width) * width : 0);
}

/**
 * The point of a slot that covers both; means are weighted by the seconds, the last number is the piece's.
 * @param {Point} slot
 * @param {number} weight
 * @param {Point} piece
 * @param {number} seconds
 * @returns {Point}
 */
function combined(slot, weight, piece, seconds) {
  const share = weight + seconds > 0 ? seconds / (weight + seconds) : 1;
  const middle = slot[2] === piece[2] ? slot[2] : slot[2] * (1 - share) + piece[2] * share; // equal numbers stay exact
  return [slot[0], Math.min(slot[1], piece[1]), middle, Math.max(slot[3], piece[3]), piece[4]];
}

/** Adds a point, unless it is one number that holds already. @param {Point[]} points @param {Point} next */
function addChanged(points, next) {
  const last = points[points.length - 1];
  const same = last && [1, 2, 3, 4].every((i) => last[i] === next[i]) && last[1] === last[3];
  if (!same) points.push(next);
}

/** A number with fewer rises than this does not count as a count. */
const RISES = 3;
/** A new day begins if a count falls to at most this share of itself. */
const FALLEN = 0.1;

/**
 * The times when a count of "today" began anew: such a count rises, and falls only to a tenth or less. Empty for every other
 * number.
 * @param {Point[]} points  ascending
 * @returns {number[]}  in seconds: each is the time of a point
 */
export function newDays(points) {
  const days = [];
  let [rises, before] = [0, NaN]; // no number is more or less than NaN
  for (const one of points) {
    if (isGap(one)) continue;
    const after = one[4];
    if (after > before) rises++;
    if (after < before) {
      if (after < 0 || after > FALLEN * before) return [];
      days.push(one[0]);
    }
    before = after;
  }
  return rises < RISES ? [] : days;
}

/**
 * The points with a gap before each new day of a count. A slot in which a day ends holds numbers of two days: it becomes the gap.
 * @param {Point[]} points  ascending
 * @returns {Point[]}
 */
export function withDays(points) {
  const days = new Set(newDays(points));
  if (!days.size) return points;
  return points.flatMap((one, i) => {
    if (!days.has(one[0]) || isGap(one)) return [one];
    const mixed = one[3] > one[4];
    if (mixed && i + 1 < points.length) return [point(one[0], NaN)];
    return [point(one[0], NaN), mixed ? point(one[0], one[4]) : one];
  });
}

/**
 * The points since the latest new day of a count; all points of a number that is no such count.
 * @param {Point[]} points
 * @returns {Point[]}
 */
export function today(points) {
  const begin = newDays(points).at(-1);
  return begin === undefined ? points : points.filter(([time]) => time >= begin);
}

/**
 * The point that holds at a time; null if the value is unknown then.
 * @param {Point[]} points  ascending
 * @param {number} time  in seconds
 * @returns {Point|null}
 */
export function pointAt(points, time) {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= time) low = middle + 1;
    else high = middle;
  }
  const found = points[low - 1];
  return found && !isGap(found) ? found : null;
}
