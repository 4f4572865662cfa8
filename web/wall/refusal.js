/** Why the server refuses this page. A browser tells a page nothing about a WebSocket that was refused. */

/** Milliseconds for an answer. */
const TIMEOUT = 10_000;

/**
 * Ask whether a page of this origin may read. Browsers send no Origin with a GET to their own host, but they do with OPTIONS, as
 * with a WebSocket. So this request is refused for the same reason, and its answer can be read.
 * @returns {Promise<string>}  the reason; empty: not refused, or no answer
 */
export async function askRefusal() {
  try {
    const answer = await fetch("walls", { method: "OPTIONS", signal: AbortSignal.timeout(TIMEOUT) });
    return answer.ok ? "" : String((await answer.json()).error.message);
  } catch {
    return ""; // the server is away, or a proxy answered
  }
}
