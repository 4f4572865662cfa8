/**
 * The fuse: a line that is full at each proof, and burns away for as long as the proof is good. Its last keyframe reveals what
 * says that it is over. The browser's compositor runs it, so it goes on when JavaScript hangs.
 */

/** Steps of the line: a TV's processor draws for each of them. */
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
   * Burn, as if it had been lit at this proof.
   * @param {{from: number, span: number}|null} proof  since when it is good and for how long, in seconds; null: put it out
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

  /** No line, and nothing is over. */
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
