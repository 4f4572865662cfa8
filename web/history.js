/**
 * What a number was: points for sparks and charts, of a fixed size however long the page runs. Pure.
 */

/** Points that one line shows at most; a screen of 3840 pixels has some four for each. */
export const POINTS = 1000;

export class History {
  /** The last update in it; the next has the next seq, or some were missed. */
  seq = 0;

  #times;
  #values;
  #length = 0;
  #limit;
  /** How far back it goes; 0: so many points. */
  #seconds;

  /** @param {number|string} [keep]  of a stream's description: a number of updates, or seconds as "86400s" */
  constructor(keep = 100) {
    this.#seconds = typeof keep === "string" ? parseFloat(keep) || 0 : 0;
    this.#limit = this.#seconds ? POINTS : Math.max(2, Math.min(POINTS, Number(keep) || 0));
    this.#times = new Float64Array(2 * this.#limit);
    this.#values = new Float64Array(2 * this.#limit);
  }

  /**
   * @param {number} time  in seconds
   * @param {unknown} value  what is no number is a break in the line
   */
  push(time, value) {
    if (this.#length === this.#times.length) this.#shrink();
    this.#times[this.#length] = time;
    this.#values[this.#length++] = typeof value === "number" ? value : NaN;
  }

  /** Whether nothing is known now. */
  get paused() {
    return this.#length > 0 && Number.isNaN(this.#values[this.#length - 1]);
  }

  /** From this time on nothing is known. @param {number} time */
  pause(time) {
    if (this.#length && !this.paused) this.push(time, null);
  }

  /**
   * The points to show: those of the window, and the one before it, whose value was true when the window began.
   * @param {number} now  in seconds
   * @returns {{times: Float64Array, values: Float64Array}}
   */
  points(now) {
    let start = this.#seconds ? 0 : Math.max(0, this.#length - this.#limit);
    if (this.#seconds) while (start + 1 < this.#length && this.#times[start + 1] <= now - this.#seconds) start++;
    return { times: this.#times.subarray(start, this.#length), values: this.#values.subarray(start, this.#length) };
  }

  /** When the window begins. @param {number} now @returns {number} */
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
   * Of each slot of equal time, as far as there is no break in it, the first, lowest, highest and last stay. In place: what
   * stays only moves forward.
   * @param {number} oldest  what is older goes
   */
  #thin(oldest) {
    const [times, values, length] = [this.#times, this.#values, this.#length];
    const slot = this.#seconds / (this.#limit / 8);
    let kept = 0;
    for (let i = 0, end; i < length; i = end) {
      const until = (Math.floor(times[i] / slot) + 1) * slot;
      const broken = Number.isNaN(values[i]);
      let [low, high] = [i, i];
      for (end = i + 1; end < length && times[end] < until && Number.isNaN(values[end]) === broken; end++) {
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
