/** The screens that wait, and the form that lets one in. */

import { addElement, byId, setText } from "../page/dom.js";
import { onSubmit, showWalls } from "./actions.js";
import { lasting } from "./place.js";
import { Rows } from "./rows.js";
import { ask, part } from "./server.js";

/** @typedef {{code: string, address: string, since: number}} Waiting */

/** The value of the choice that names no wall; no wall can have this name. */
const OF_TABLE = " ";

const input = (id) => /** @type {HTMLInputElement} */ (byId(id));

export class WaitingScreens {
  /** @type {Rows<Waiting>} */
  #rows = new Rows(byId("waiting"), ({ code, address, since }) => `${code} ${address} ${since}`, makeRow);

  constructor() {
    onSubmit(/** @type {HTMLFormElement} */ (byId("pairing")), letIn);
  }

  /** @param {Waiting[]} waiting @param {string[]} walls */
  show(waiting, walls) {
    byId("nobody").hidden = waiting.length > 0;
    this.#rows.show(waiting);
    showWalls(/** @type {HTMLSelectElement} */ (byId("reads")), walls, [[OF_TABLE, "those of its table in [[screens]]"]]);
  }
}

async function letIn() {
  const code = input("code").value.replace(/\s/g, "").toUpperCase();
  const said = { name: input("called").value.trim(), wall: input("reads").value.trim() };
  const made = await ask("POST", `pairing/${part(code)}`, said);
  input("code").value = input("called").value = input("reads").value = "";
  return `${made.name} at ${made.address} may read the wall ${made.wall}`;
}

/** Make the row of a screen that waits. @param {Waiting} item */
function makeRow(item) {
  const element = addElement("li", "waiting");
  const code = addElement("strong", "code", element);
  const about = addElement("span", "state", element);
  const button = /** @type {HTMLButtonElement} */ (addElement("button", "", element));
  setText(button, "Use it");
  button.type = "button";
  button.hidden = !item.code;
  button.addEventListener("click", () => {
    input("code").value = item.code;
    input("called").focus();
  });
  return {
    element,
    /** @param {Waiting} now */
    write(now) {
      setText(code, now.code || "code on the screen");
      setText(about, `at ${now.address}, has waited for ${lasting(now.since)}`);
      button.setAttribute("aria-label", `Use the code ${now.code}`);
    },
  };
}
