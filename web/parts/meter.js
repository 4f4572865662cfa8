/** A bar that is filled from zero, with a tick where it should end by now, and a gap at a goal that was passed. */

import { addElement, setHidden, setProperty } from "../page/dom.js";

/** The height of a bar with the space around it, in u: see meter.css. */
export const ROOM = 2;

export class Meter {
  element = addElement("div", "meter");

  #parts = { fill: addElement("div", "fill", this.element), goal: addElement("div", "goal", this.element), tick: addElement("div", "tick", this.element) };

  constructor() {
    this.element.ariaHidden = "true"; // figure and evidence say the same in words
  }

  /**
   * Draw the bar.
   * @param {{filled: number, tick?: number|null, goal?: number|null}} shares  of the bar, 0 to 1; null: no tick or gap
   */
  show({ filled, tick = null, goal = null }) {
    setProperty(this.element, "--filled", filled);
    for (const [name, share] of Object.entries({ tick, goal })) {
      setHidden(this.#parts[name], share === null);
      if (share !== null) setProperty(this.element, `--${name}`, share);
    }
  }
}
