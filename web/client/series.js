/** A number over time: the points of a line, in memory of a fixed size however long the page runs. Pure. */

/** The most points of one line: a screen 3840 pixels wide has about four pixels for each. */
export const POINTS = 1000;
/** Seconds by which a point may be ahead of the page's idea of the server's clock, which lags by the time of transport. */
const AHEAD = 5;

export class Series {
  /** The seq of the newest update in it. An update whose seq is not the next one means that updates were missed. */
  seq = 0;

  #times;
  #values;
  #length = 0;
  #limit;
  /** How many seconds the series goes back; 0: its number of points is bounded instead. */
  #seconds;
  /** Whether the latest point is a gap. */
  #paused = false;

  /** @param {number|string} [keep]  as in a stream's description: a number of updates, or seconds as "86400s" */
  constructor(keep = 100) {
    this.#seconds = typeof keep === "string" ? parseFloat(keep) || 0 : 0;
    this.#limit = this.#seconds ? POINTS : Math.max(2, Math.min(POINTS, Number(keep) || 0));
    // Twice the limit: shrinking moves half of the points, and then as many pushes cost nothing.
    this.#times = new Float64Array(2 * this.#limit);
    this.#values = new Float64Array(2 * this.#limit);
  }

  /**
   * Add a point, in the order of time: publishers may send an older time, and the server's clock may be set back.
   * @param {number} time  in seconds
   * @param {unknown} value  anything but a number is a gap in the line
   */
  push(time, value) {
    if (this.#length === this.#times.length) this.#shrink();
    let at = this.#length++;
    while (at > 0 && this.#times[at - 1] > time) at--;
    this.#times.copyWithin(at + 1, at, this.#length - 1);
    this.#values.copyWithin(at + 1, at, this.#length - 1);
    this.#times[at] = time;
    this.#values[at] = typeof value === "number" ? value : NaN;
    this.#paused = Number.isNaN(this.#values[at]);
  }

  /** Whether the latest point is a gap. @returns {boolean} */
  get paused() {
    return this.#paused;
  }

  /** Begin a gap: from this time on the value is unknown. @param {number} time  in seconds */
  pause(time) {
    if (this.#length && !this.paused) this.push(time, null);
  }

  /**
   * The points to show: those within the window, and the one before it, whose value was true when the window began. Points of the
   * future are left out: they are from before the server's clock was set back.
   * @param {number} now  in seconds
   * @returns {{times: Float64Array, values: Float64Array}}  of equal length, oldest first; a NaN begins a gap
   */
  points(now) {
    let start = this.#seconds ? 0 : Math.max(0, this.#length - this.#limit);
    if (this.#seconds) while (start + 1 < this.#length && this.#times[start + 1] <= now - this.#seconds) start++;
    let end = this.#length;
    while (end > start && this.#times[end - 1] > now + AHEAD) end--;
    return { times: this.#times.subarray(start, end), values: this.#values.subarray(start, end) };
  }

  /** When the window begins, in seconds. @param {number} now @returns {number} */
  begins(now) {
    const { times } = this.points(now);
    return Math.max(times[0] ?? now, this.#seconds ? now - this.#seconds : -Infinity);
  }

  #shrink() {
    if (this.#seconds) this.#thin(this.#times[this.#length - 1] - this.#seconds);
    const extra = this.#length - this.#limit;
    if (extra <= 0) return;
    this.#times.copyWithin(0, extra, this.#length);
    this.#values.copyWithin(0, extra, this.#length);
    this.#length = this.#limit;
  }

  /**
   * Keep the first, the lowest, the highest and the last point of each slot, in place: points only move forward.
   * Slots are of equal time. A gap ends a slot, so that it is not thinned away.
   * @param {number} oldest  drop older points, in seconds
   */
  #thin(oldest) {
    const [times, values, length] = [this.#times, this.#values, this.#length];
    const slot = this.#seconds / (this.#limit / 8); // four points a slot: this makes half of the limit
    let kept = 0;
    for (let i = 0, end; i < length; i = end) {
      const until = (Math.floor(times[i] / slot) + 1) * slot;
      const gap = Number.isNaN(values[i]);
      let [low, high] = [i, i];
      for (end = i + 1; end < length && times[end] < until && Number.isNaN(values[end]) === gap; end++) {
        if (values[end] < values[low]) low = end;
        if (values[end] > values[high]) high = end;
      }
      if (times[end - 1] < oldest && end < length) continue;
      for (const at of new Set([i, Math.min(low, high), Math.max(low, high), end - 1])) {
        times[kept] = times[at];
        values[kept++] = values[at];
      }
    }
    this.#length = kept;
  }
}
