/** The attempts that were refused, the newest first. */

import { addElement, byId, setText } from "../page/dom.js";
import { at } from "./place.js";
import { Rows } from "./rows.js";

/** @typedef {{at: number, address: string, method: string, path: string, code: string, message: string, times: number}} Attempt */

export class Refused {
  /** @type {Rows<Attempt>} */
  #rows = new Rows(byId("refused"), ({ address, code }) => `${address} ${code}`, makeRow);

  /** @param {Attempt[]} refused */
  show(refused) {
    byId("unrefused").hidden = refused.length > 0;
    this.#rows.show(refused);
  }
}

function makeRow() {
  const element = addElement("li", "attempt");
  const who = addElement("strong", "name", element);
  const what = addElement("span", "what", element);
  const when = addElement("span", "when", element);
  const count = addElement("span", "count", element);
  const why = addElement("span", "state", element);
  return {
    element,
    /** @param {Attempt} now */
    write(now) {
      setText(when, at(now.at));
      setText(who, now.address);
      setText(count, now.times > 1 ? `${now.times} times` : "");
      setText(what, `${now.method} ${now.path}`);
      setText(why, now.message);
    },
  };
}
