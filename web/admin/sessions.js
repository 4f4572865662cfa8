/** The browsers in which administrators have signed in. */

import { byId } from "../page/dom.js";
import { confirmed } from "./actions.js";
import { makeGrantRow } from "./grant-row.js";
import { at } from "./place.js";
import { Rows } from "./rows.js";
import { ask, part } from "./server.js";

/** @typedef {import("./screens.js").Grant} Grant */

export class Sessions {
  /** The id of the session of this browser. */
  #own = "";
  /** @type {Rows<Grant>} */
  #rows = new Rows(byId("sessions"), ({ id }) => id, () => makeGrantRow((grant) => this.#state(grant), "Sign out …", revoke));

  /** @param {Grant[]} grants @param {string} own */
  show(grants, own) {
    this.#own = own;
    const sessions = grants.filter(({ kind }) => kind === "admin");
    byId("alone").hidden = sessions.length > 0;
    this.#rows.show(sessions);
  }

  /** From when until when a session lasts, as text. @param {Grant} grant */
  #state({ id, made, until }) {
    return `${id === this.#own ? "this browser, " : ""}since ${at(made)}, until ${at(until)}`;
  }
}

/** Sign a browser out, after a question. @param {Grant} session */
async function revoke({ id, name }) {
  if (!(await confirmed(`Sign out ${name}?`, "That browser has to sign in again.", "Sign out"))) return undefined;
  await ask("DELETE", `grants/${part(id)}`);
  return `${name} was signed out`;
}
