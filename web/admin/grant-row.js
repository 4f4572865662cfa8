/** A row for a grant that can only be revoked. */

import { addElement, setText } from "../page/dom.js";
import { onSubmit } from "./actions.js";

/** @typedef {import("./screens.js").Grant} Grant */

/**
 * @param {(grant: Grant) => string} stateOf
 * @param {string} button
 * @param {(grant: Grant) => Promise<string|undefined>} act
 */
export function makeGrantRow(stateOf, button, act) {
  /** @type {Grant} */
  let grant;
  const element = addElement("li", "grant");
  const name = addElement("strong", "name", element);
  const wall = addElement("span", "wall", element);
  const state = addElement("span", "state", element);
  const form = /** @type {HTMLFormElement} */ (addElement("form", "buttons", element));
  const act_ = addElement("button", "", form);
  setText(act_, button);
  addElement("p", "failed", form).setAttribute("role", "alert");
  onSubmit(form, () => act(grant));
  return {
    element,
    /** @param {Grant} now */
    write(now) {
      grant = now;
      setText(name, now.name);
      setText(wall, now.wall);
      setText(state, stateOf(now));
      act_.setAttribute("aria-label", `${button.replace(" …", "")} ${now.name}`);
    },
  };
}
