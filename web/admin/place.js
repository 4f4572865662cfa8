/** The page is in English, like all texts for operators; its times are in the browser's time zone. */

import { clock, since } from "../text/times.js";

/** @type {import("../text/language.js").Place} */
export const PLACE = { language: "en-GB" };

/** How long ago a time is. The clocks of server and browser may differ. @param {number} time  seconds since the epoch */
export function ago(time) {
  const now = Date.now() / 1000;
  return since(Math.min(time, now), now, PLACE);
}

/** How long ago a time is, without the word "ago". @param {number} time  seconds since the epoch */
export function lasting(time) {
  return ago(time).replace(/ ago$/, "");
}

/** A time of day, with its date if that is not today. @param {number} time  seconds since the epoch */
export function at(time) {
  return clock(time, Date.now() / 1000, PLACE);
}
