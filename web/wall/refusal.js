/** Requests for what the server says about its walls, and the reason if it refuses this page. */

/** Milliseconds for an answer: a server that hangs is asked again. */
const TIMEOUT = 10_000;

/** Nobody answered in time. */
class Unanswered extends Error {
  message = "The server does not answer";
}

/**
 * The JSON that the server answers; null if its answer is empty.
 * @param {string} url
 * @param {string} [method]
 * @throws {Error}  its message is the reason; its cause is the status if the server itself refused
 */
export async function askServer(url, method = "GET") {
  const answer = await fetch(url, { method, signal: AbortSignal.timeout(TIMEOUT) }).catch(() => null);
  if (!answer) throw new Unanswered();
  if (answer.status === 204) return null;
  const body = await answer.json().catch(() => null); // only the server writes JSON
  if (body?.error) throw new Error(String(body.error.message), { cause: answer.status });
  if (answer.ok && body) return body;
  throw new Error(`A proxy or a login answers in the server's place, with status ${answer.status}`);
}

/**
 * Ask whether a page of this origin may read: a browser tells a page nothing about a WebSocket that was refused. Browsers send no
 * Origin with a GET to their own host, but they do with OPTIONS, as with a WebSocket. So this request is refused for the same
 * reason, and its answer can be read.
 * @returns {Promise<string>}  the reason; empty: not refused, or no answer
 */
export async function askRefusal() {
  try {
    await askServer("walls", "OPTIONS");
    return "";
  } catch (error) {
    return error instanceof Unanswered ? "" : error.message;
  }
}
