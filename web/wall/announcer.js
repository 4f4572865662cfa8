/** Announces the wall's alarms to screen readers, through a polite live region. */

import { byId, setText } from "../page/dom.js";
import { say } from "../text/words.js";
import { alarmsOf } from "./summary.js";

/** Seconds between two announcements, so that a value that jumps around its limit does not talk without end. */
const EVERY = 10;

export class Announcer {
  #at = -Infinity;
  #alarms = "";

  /** Announce the alarms if they have changed. @param {import("./tile.js").Tile[]} tiles @param {import("../text/language.js").Place} place */
  update(tiles, place) {
    const now = performance.now() / 1000;
    if (now - this.#at < EVERY) return;
    const alarms = alarmsOf(tiles);
    if (alarms === this.#alarms) return;
    [this.#at, this.#alarms] = [now, alarms];
    const well = tiles.every(({ assessment }) => assessment?.state === "current");
    setText(byId("aloud"), alarms || (well ? say("allIsWell", place) : ""));
  }
}
