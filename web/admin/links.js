/** Links for guests: makes them, lists them with their ends, and revokes them. */

import { byId, setText } from "../page/dom.js";
import { confirmed, onSubmit, sayDone, showWalls } from "./actions.js";
import { makeGrantRow } from "./grant-row.js";
import { at } from "./place.js";
import { Rows } from "./rows.js";
import { ask, part } from "./server.js";

/** @typedef {import("./screens.js").Grant} Grant */

const input = (id) => /** @type {HTMLInputElement} */ (byId(id));

export class Links {
  /** @type {Rows<Grant>} */
  #rows = new Rows(byId("links"), ({ id }) => id, () => makeGrantRow(endOf, "Revoke …", revoke));

  constructor() {
    onSubmit(/** @type {HTMLFormElement} */ (byId("linking")), make);
    byId("copy").addEventListener("click", () => void copy());
    byId("done").addEventListener("click", hide);
  }

  /** @param {Grant[]} grants @param {string[]} walls */
  show(grants, walls) {
    this.#rows.show(grants.filter(({ kind }) => kind === "link"));
    showWalls(/** @type {HTMLSelectElement} */ (byId("opens")), walls);
  }
}

async function make() {
  const said = { wall: input("opens").value, for: input("lasts").value, name: input("guest").value.trim() };
  const link = await ask("POST", "links", said);
  setText(byId("address"), link.address);
  byId("made").hidden = false;
  input("guest").value = "";
  return `The link to ${link.wall} ends ${at(link.until)}`;
}

async function copy() {
  const address = byId("address");
  try {
    await navigator.clipboard.writeText(address.textContent ?? "");
    sayDone("The address was copied");
  } catch {
    // Without TLS a page gets no clipboard.
    getSelection()?.selectAllChildren(address);
    sayDone("The address is marked: copy it");
  }
}

function hide() {
  byId("made").hidden = true;
  setText(byId("address"), "");
}

/** When a link ends, as text. @param {Grant} link */
function endOf(link) {
  return `until ${at(link.until)}`;
}

/** Revoke a link, after a question. @param {Grant} link */
async function revoke({ id, name, wall }) {
  const effect = `Everybody who opened it is signed out of ${wall} within five seconds.`;
  if (!(await confirmed(`Revoke the link ${name}?`, effect, "Revoke it"))) return undefined;
  await ask("DELETE", `grants/${part(id)}`);
  hide();
  return `The link ${name} was revoked`;
}
