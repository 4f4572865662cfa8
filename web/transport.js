/**
 * The two ways to a server's messages: a WebSocket, or where proxies let none pass an event stream, read by fetch so that
 * an Authorization header fits. Both end once and for all; when to begin anew is the link's to say.
 *
 * @typedef {object} Transport
 * @property {(message: object) => void} say  to the server; on an event stream nobody listens
 * @property {() => void} close  at once: nothing is told any more
 *
 * @typedef {object} Ears
 * @property {(text: string) => void} hear  a message, whole
 * @property {() => void} end  there will be no more of them, or never were any
 * @property {(error: {code: string, message: string}) => void} refused  why, before `end`; a WebSocket is not told
 *
 * @typedef {(url: URL, token: string|undefined, ears: Ears, api: any) => Transport} Open
 */

/** @type {Open} */
export function openSocket(url, token, { hear, end }, WebSocket) {
  const protocols = ["streamd.v1"];
  if (token !== undefined) protocols.push(`streamd.token.${base64url(token)}`);
  const socket = new WebSocket(url.href, protocols);
  socket.onmessage = ({ data }) => hear(data);
  socket.onclose = () => end();
  return {
    say: (message) => socket.send(JSON.stringify(message)),
    close() {
      socket.onmessage = socket.onclose = null; // on a dead link its own close event may take minutes
      socket.close();
    },
  };
}

/** `url` is the WebSocket's: the event stream is beside it. @type {Open} */
export function openEvents(url, token, { hear, end, refused }, fetch) {
  const address = new URL(url);
  address.protocol = url.protocol.replace("ws", "http");
  address.pathname = url.pathname.replace(/[^/]*$/, "events");
  address.searchParams.set("format", "v1");
  const leaving = new AbortController();
  const { signal } = leaving;
  const read = async () => {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${bytes(token)}` };
    const answer = await fetch(address.href, { headers, cache: "no-store", signal });
    if (!answer.ok) {
      const { error } = await answer.json();
      if (!signal.aborted) refused({ code: String(error.code), message: String(error.message) });
    } else if (answer.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      for await (const text of messages(answer.body, signal)) hear(text);
    }
  };
  // What is no answer of ours, and what breaks off, is an end like any other.
  read().catch(() => {}).then(() => { if (!signal.aborted) end(); });
  return { say() {}, close: () => leaving.abort() };
}

/**
 * The data of each event, as our server writes them: in one line, between others that are of no interest here.
 * A line without an end is not kept for long: it does not count as a message, and silence ends the line to the server.
 * @param {ReadableStream<Uint8Array>} body
 * @param {AbortSignal} signal
 */
async function* messages(body, signal) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (signal.aborted) return;
      if (line.startsWith("data: ")) yield line.slice(6);
    }
  }
}

/** A text's bytes in UTF-8, as the characters that headers and btoa take. @param {string} text */
function bytes(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/** @param {string} text */
function base64url(text) {
  return btoa(bytes(text)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
