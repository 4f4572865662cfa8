/** The header's other clocks and the date. Those without room wrap out of sight: see #zones in wall.css. */

import { addElement, byId, setText } from "../page/dom.js";

export class Zones {
  /** @type {{element: HTMLElement, format: Intl.DateTimeFormat}[]} */
  #shown = [];

  /**
   * @param {string[]} clocks  IANA names of time zones; a zone that the browser does not know is left out
   * @param {{date?: boolean, language?: string, timezone?: string}} wall
   */
  constructor(clocks, { date = false, language, timezone: timeZone }) {
    const zones = byId("zones");
    zones.replaceChildren();
    // The row is reversed, so that what comes last yields first: the date is next to the clock.
    if (date) this.#add(addElement("p", "zone", zones), language, { timeZone, weekday: "short", day: "numeric", month: "short" });
    for (const zone of [...clocks].reverse()) {
      const place = addElement("p", "zone", zones);
      place.append(zone.slice(zone.lastIndexOf("/") + 1).replaceAll("_", " "));
      if (!this.#add(addElement("b", "", place), language, { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" })) place.remove();
    }
  }

  /** Write the times. @param {number} now  in seconds */
  update(now) {
    for (const { element, format } of this.#shown) setText(element, format.format(now * 1000));
  }

  /**
   * Add a clock; return whether the browser knows the time zone and the language.
   * @param {HTMLElement} element
   * @param {string|undefined} language
   * @param {Intl.DateTimeFormatOptions} options
   * @returns {boolean}
   */
  #add(element, language, options) {
    try {
      this.#shown.push({ element, format: new Intl.DateTimeFormat(language, options) });
      return true;
    } catch {
      return false; // an unknown time zone, or an unknown language
    }
  }
}
