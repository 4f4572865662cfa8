/** Requests about walls, and for the reason why the server refuses this page. */

import { say } from "../text/words.js";

/** @typedef {import("../text/language.js").Place} Place */

/** The most milliseconds until an answer: a server that hangs is asked again. */
const TIMEOUT = 10_000;

/** The server did not answer in time. */
class Unanswered extends Error {}

/**
 * Send a request, and return the JSON of the answer; null if the answer is empty.
 * @param {string} url
 * @param {string} [method]
 * @param {Place} [place]  for the language of a reason that does not come from the server
 * @param {object} [said]  sent as JSON
 * @throws {Error}  its message is the reason; its cause is the status if the server itself refused
 */
export async function askServer(url, method = "GET", place = {}, said = undefined) {
  const answer = await fetch(url, { method, body: said && JSON.stringify(said), signal: AbortSignal.timeout(TIMEOUT) }).catch(() => null);
  if (!answer) throw new Unanswered(say("noAnswer", place));
  if (answer.status === 204) return null;
  const body = await answer.json().catch(() => null); // only the server writes JSON
  if (body?.error) throw Object.assign(new Error(String(body.error.message), { cause: answer.status }), { code: String(body.error.code) });
  if (answer.ok && body) return body;
  throw new Error(say("foreignAnswer", place, { status: answer.status }));
}

/**
 * Ask whether a page of this origin may read: a browser does not show a page why a WebSocket was refused. Browsers send no Origin
 * with a GET to their own host, but they do with OPTIONS, as with a WebSocket. So this request is refused for the same reason,
 * and its answer can be read.
 * @param {Place} place
 * @returns {Promise<string>}  the reason; empty: not refused, or no answer
 */
export async function askRefusal(place) {
  try {
    await askServer("walls", "OPTIONS", place);
    return "";
  } catch (error) {
    if (error instanceof Unanswered) return "";
    if (error.code !== "foreign-origin") return error.message;
    // This page is the server's own, so a proxy has changed the Host that its origin is compared with.
    return say("otherHost", place, { host: document.location.host, url: new URL(".", document.baseURI).href });
  }
}
