/** Handles the keyboard, the mouse and full screen. */

import { setData } from "../page/dom.js";

/** Seconds without a movement after which the mouse's arrow is hidden. */
const IDLE = 3;

export class Controls {
  #turnPage;
  #movedAt = 0;
  #abort = new AbortController();

  /** @param {(step: number) => void} turnPage */
  constructor(turnPage) {
    this.#turnPage = turnPage;
    const { signal } = this.#abort;
    document.addEventListener("keydown", (event) => this.#press(event), { signal });
    document.addEventListener("click", () => toggleFullScreen(), { signal });
    document.addEventListener("mousemove", () => (this.#movedAt = performance.now()), { signal });
  }

  close() {
    this.#abort.abort();
  }

  /** Hide the arrow, or show it. Called once a second. */
  update() {
    setData(document.body, "idle", performance.now() - this.#movedAt > IDLE * 1000 ? "yes" : "no");
  }

  #press({ key, ctrlKey, metaKey, altKey }) {
    if (ctrlKey || metaKey || altKey) return; // a shortcut of the browser
    if (key === "f") toggleFullScreen();
    else if (key === "ArrowRight" || key === "PageDown") this.#turnPage(1);
    else if (key === "ArrowLeft" || key === "PageUp") this.#turnPage(-1);
  }
}

/** Enter or leave full screen, unless the click ends the selection of a text. */
function toggleFullScreen() {
  if (!document.fullscreenEnabled || String(document.getSelection())) return;
  const done = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  done.catch(() => {}); // the browser may refuse, and nothing depends on it
}
