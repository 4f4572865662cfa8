/**
 * The fuse: a line that is full at each proof and burns away for as long as the proof counts. Its last keyframe reveals an
 * element that says that the time is over. The browser's compositor runs both, so they continue while JavaScript hangs.
 */

/** Steps of the line. A TV's processor draws each step, so a smooth line would cost more than the rest of the wall. */
const STEPS = 60;

export class Fuse {
  #line;
  #expiry;
  /** @type {Animation[]} */
  #animations = [];
  #from = 0;
  #span = 0;

  /**
   * @param {Element} line  shrinks to its left
   * @param {Element} expiry  appears at the end
   */
  constructor(line, expiry) {
    this.#line = line;
    this.#expiry = expiry;
  }

  /**
   * Burn from this proof on.
   * @param {{from: number, span: number}|null} proof  its beginning and its length, in seconds; null: put the fuse out
   * @param {number} now  in seconds
   */
  burn(proof, now) {
    if (!proof) return this.out();
    if (proof.from === this.#from && proof.span === this.#span) return;
    if (proof.span !== this.#span) this.#light(proof.span);
    this.#from = proof.from;
    for (const animation of this.#animations) {
      animation.currentTime = Math.max(0, now - proof.from) * 1000;
      animation.play();
    }
  }

  /** Show neither the line nor the expiry. */
  out() {
    for (const animation of this.#animations) animation.cancel();
    this.#animations = [];
    this.#span = 0;
  }

  #light(span) {
    this.out();
    this.#span = span;
    const duration = span * 1000;
    this.#animations = [
      this.#line.animate([{ transform: "scaleX(1)" }, { transform: "scaleX(0)" }], { duration, fill: "both", easing: `steps(${STEPS})` }),
      this.#expiry.animate([{ opacity: 0 }, { opacity: 0, offset: 0.9999 }, { opacity: 1 }], { duration, fill: "both" }),
    ];
  }
}
