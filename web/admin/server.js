/** Requests to the server, which answers in JSON. The browser adds the cookie of the session. */

/** The most milliseconds until an answer. */
const TIMEOUT = 10_000;

/** The server's refusal of a request. */
export class Refusal extends Error {
  /** @param {string} message @param {number} status @param {string} code */
  constructor(message, status, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The address of the wall. It has no user and password, because a page may not fetch relative to an address with those. */
const BASE = new URL(".", document.baseURI);
BASE.username = BASE.password = "";

/**
 * Send a request, and return the JSON of its answer; null if it is empty.
 * @param {string} method
 * @param {string} path  relative to the wall
 * @param {object} [said]  sent as JSON
 * @param {Record<string, string>} [headers]
 * @returns {Promise<any>}
 * @throws {Refusal}  the server refused
 * @throws {Error}  no answer came, or the answer is not streamd's
 */
export async function ask(method, path, said, headers = {}) {
  const body = said && JSON.stringify(said);
  const signal = AbortSignal.timeout(TIMEOUT);
  const answer = await fetch(new URL(path, BASE), { method, body, headers, signal, cache: "no-store" }).catch(() => null);
  if (!answer) throw new Error("The server does not answer");
  if (answer.status === 204) return null;
  const told = await answer.json().catch(() => null); // only the server writes JSON
  if (told?.error) throw new Refusal(String(told.error.message), answer.status, String(told.error.code));
  if (answer.ok && told) return told;
  throw new Error(`Something else than streamd answers here (${answer.status})`);
}

/** A name as a part of a path. @param {string} name */
export function part(name) {
  return encodeURIComponent(name);
}
