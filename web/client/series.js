/** A number over time: the points of a line, in memory of a fixed size however long the page runs. Pure. */

/** The most points of one line: a screen of 3840 pixels has some four for each. */
export const POINTS = 1000;

export class Series {
  /** The seq of the newest update in it. The next update has the next seq, or some were missed. */
  seq = 0;

  #times;
  #values;
  #length = 0;
  #limit;
  /** How many seconds it goes back; 0: it is bounded by its number of points. */
  #seconds;

  /** @param {number|string} [keep]  as in a stream's description: a number of updates, or seconds as "86400s" */
  constructor(keep = 100) {
    this.#seconds = typeof keep === "string" ? parseFloat(keep) || 0 : 0;
    this.#limit = this.#seconds ? POINTS : Math.max(2, Math.min(POINTS, Number(keep) || 0));
    // Twice the limit: shrinking moves half of the points, and then as many pushes cost nothing.
    this.#times = new Float64Array(2 * this.#limit);
    this.#values = new Float64Array(2 * this.#limit);
  }

  /**
   * Add a point.
   * @param {number} time  in seconds
   * @param {unknown} value  anything but a number is a gap in the line
   */
  push(time, value) {
    if (this.#length === this.#times.length) this.#shrink();
    this.#times[this.#length] = time;
    this.#values[this.#length++] = typeof value === "number" ? value : NaN;
  }

  /** Whether the line ends in a gap. @returns {boolean} */
  get paused() {
    return this.#length > 0 && Number.isNaN(this.#values[this.#length - 1]);
  }

  /** Begin a gap: from this time on nothing is known. @param {number} time  in seconds */
  pause(time) {
    if (this.#length && !this.paused) this.push(time, null);
  }

  /**
   * The points to show: those within the window, and the one before it, whose value was true when the window began.
   * @param {number} now  in seconds
   * @returns {{times: Float64Array, values: Float64Array}}  of equal length, oldest first; a NaN begins a gap
   */
  points(now) {
    let start = this.#seconds ? 0 : Math.max(0, this.#length - this.#limit);
    if (this.#seconds) while (start + 1 < this.#length && this.#times[start + 1] <= now - this.#seconds) start++;
    return { times: this.#times.subarray(start, this.#length), values: this.#values.subarray(start, this.#length) };
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
