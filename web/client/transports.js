/**
 * The two transports for a server's messages: a WebSocket and, where proxies let none pass, an event stream. The event stream is
 * read by fetch, because an EventSource cannot send an Authorization header. A transport that has ended stays ended: the
 * connection decides when to open the next one.
 *
 * @typedef {object} Transport
 * @property {(message: object) => void} send  to the server; an event stream drops it
 * @property {() => void} close  at once; the receiver hears nothing more
 *
 * @typedef {object} Receiver
 * @property {(text: string) => void} receive  takes one whole message
 * @property {() => void} end  called once, when no message will follow
 * @property {(error: {code: string, message: string}) => void} refused  why, before `end`; a browser's WebSocket does not learn it
 *
 * @typedef {(url: URL, token: string|undefined, receiver: Receiver, api: any) => Transport} Open
 */

/** Open a WebSocket. The token travels as a subprotocol, because a browser's WebSocket cannot set headers. @type {Open} */
export function openSocket(url, token, { receive, end }, WebSocket) {
  const protocols = ["streamd.v1"];
  if (token !== undefined) protocols.push(`streamd.token.${base64url(token)}`);
  const socket = new WebSocket(url.href, protocols);
  socket.onmessage = ({ data }) => receive(data);
  socket.onclose = () => end();
  return {
    send: (message) => socket.send(JSON.stringify(message)),
    close() {
      socket.onmessage = socket.onclose = null; // on a dead link the browser's own close event may take minutes
      socket.close();
    },
  };
}

/** Open an event stream. `url` is the WebSocket's address; the event stream is beside it. @type {Open} */
export function openEvents(url, token, { receive, end, refused }, fetch) {
  const address = new URL(url);
  address.protocol = url.protocol.replace("ws", "http");
  address.pathname = url.pathname.replace(/[^/]*$/, "events");
  address.searchParams.set("format", "v1");
  const abort = new AbortController();
  const { signal } = abort;
  const read = async () => {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${utf8Characters(token)}` };
    const answer = await fetch(address.href, { headers, cache: "no-store", signal });
    if (!answer.ok) {
      const { error } = await answer.json();
      if (!signal.aborted) refused({ code: String(error.code), message: String(error.message) });
    } else if (answer.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      for await (const text of events(answer.body, signal)) receive(text);
    }
  };
  // An answer that is not the server's (a proxy's page) and a broken connection are ends like any other.
  read().catch(() => {}).then(() => { if (!signal.aborted) end(); });
  return { send() {}, close: () => abort.abort() };
}

/**
 * The data of each event. The server writes it in one line, between lines that do not matter here.
 *
 * A line without an end needs no bound of its own: it is no message, so the connection takes it for silence and closes.
 * @param {ReadableStream<Uint8Array>} body
 * @param {AbortSignal} signal
 */
async function* events(body, signal) {
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

/** The bytes of a text in UTF-8, one character each: headers and btoa take no others. @param {string} text */
function utf8Characters(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/** @param {string} text */
function base64url(text) {
  return btoa(utf8Characters(text)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
