/** The display's theme, its brightness, and its protection against burn-in. */

import { byId, setData, setProperty } from "../page/dom.js";

/** Seconds after which the whole picture moves by two pixels. */
const SHIFT_EVERY = 600;
const SHIFTS = [[0, 0], [2, 0], [2, 2], [0, 2]];

export class Display {
  #theme;
  #preference = matchMedia("(prefers-color-scheme: light)");
  #abort = new AbortController();

  /** @param {"dark"|"light"|"auto"} theme */
  constructor(theme) {
    this.#theme = theme;
    this.#preference.addEventListener("change", () => this.#paint(), { signal: this.#abort.signal });
    this.#paint();
  }

  /** Show another theme. @param {"dark"|"light"|"auto"} theme */
  change(theme) {
    this.#theme = theme;
    this.#paint();
  }

  close() {
    this.#abort.abort();
  }

  /** Shift the picture when it is time. Called once a second. */
  update() {
    const [x, y] = SHIFTS[Math.floor(performance.now() / 1000 / SHIFT_EVERY) % SHIFTS.length];
    setProperty(document.body, "--shift", `${x}px ${y}px`);
  }

  #paint() {
    const light = this.#theme === "light" || (this.#theme === "auto" && this.#preference.matches);
    setData(document.documentElement, "theme", light ? "light" : "dark");
  }
}

/** Dim the screen. @param {number} brightness  the remaining part; 1: not dimmed */
export function dim(brightness) {
  const shade = byId("shade");
  shade.hidden = brightness >= 1;
  setProperty(shade, "--dark", 1 - brightness);
}
