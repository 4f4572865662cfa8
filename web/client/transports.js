/**
 * The two transports for a server's messages: a WebSocket, and event streams for the case that a proxy blocks WebSockets. Event
 * streams are read by fetch, because an EventSource cannot send an Authorization header. A transport that has ended stays ended:
 * the connection decides when to open the next one.
 *
 * @typedef {object} Transport
 * @property {(message: object) => boolean} send  to the server; returns whether it could be sent: an event stream drops it
 * @property {() => void} close  at once; then no function of the receiver is called any more
 *
 * @typedef {object} Receiver
 * @property {(text: string) => void} receive  takes one whole message
 * @property {() => void} end  called once, when no message will follow
 * @property {(error: {code: string, message: string}) => void} refused  the reason, before `end`; a browser's WebSocket gets no
 *   reason
 *
 * @typedef {(address: () => URL, token: string|undefined, receiver: Receiver, api: any) => Transport} Open
 *   `address` is the WebSocket's; its query has the selection, and the position up to which everything has arrived
 */

import { Neighbours } from "./neighbours.js";

/** Seconds that an event stream lasts: less than a tick, and less than any proxy's patience. */
const ROUND = 4;
/**
 * The same while pages wait for their turn, while a proxy holds streams back until they end, and until the page knows whether one
 * does.
 */
const BRIEF = 1;
/** The last message of a stream that has lasted its time. */
const TICK = /^\{"type":\s*"tick"/;
/** How many streams all pages of a browser have at once. Browsers open six connections to a host; one stays free for files. */
const CONNECTIONS = 5;

/** Open a WebSocket. The token travels as a subprotocol, because a browser's WebSocket cannot set headers. @type {Open} */
export function openSocket(address, token, { receive, end }, { WebSocket }) {
  const protocols = ["streamd.v1"];
  if (token !== undefined) protocols.push(`streamd.token.${base64url(token)}`);
  const socket = new WebSocket(address().href, protocols);
  socket.onmessage = ({ data }) => receive(data);
  socket.onclose = () => end();
  return {
    send: (message) => {
      socket.send(JSON.stringify(message));
      return true;
    },
    close() {
      socket.onmessage = socket.onclose = null; // on a dead link the browser's own close event may take minutes
      socket.close();
    },
  };
}

/**
 * Open event streams, one after the other. Each ends after some seconds, and the next one resumes.
 *
 * So a proxy that holds an answer back until it ends only delays values by a second. And a browser, which opens at most six
 * connections to a host, can have more than six pages: they take turns.
 * @type {Open}
 */
export function openEvents(address, token, { receive, end, refused }, { fetch, clock, BroadcastChannel }) {
  const neighbours = new Neighbours(clock, BroadcastChannel);
  let timer;
  const abort = new AbortController();
  const { signal } = abort;
  const headers = tokenHeaders(token);
  /** Read one stream. @returns {Promise<boolean|null>} whether a proxy holds streams back; null: the stream ended early */
  const readFor = async (seconds) => {
    const began = clock();
    const answer = await fetch(eventsUrl(address(), seconds), { headers, cache: "no-store", signal });
    if (!answer.ok) {
      const { error } = await answer.json();
      if (!signal.aborted) refused({ code: String(error.code), message: String(error.message) });
      return null;
    }
    if (!answer.headers.get("Content-Type")?.startsWith("text/event-stream")) return null;
    let first = Infinity;
    let last = "";
    for await (const text of events(answer.body, signal)) {
      first = Math.min(first, clock());
      receive((last = text));
    }
    const ended = clock();
    // The server ends a stream with a tick. Another end is a cut, though it may look the same: the answer has no length.
    if (!TICK.test(last) || ended - began < seconds / 2) return null;
    return first - began > (ended - began) / 2;
  };
  const read = async () => {
    /** @type {boolean|null} */
    let held = true;
    while (held !== null && !signal.aborted) {
      const turns = neighbours.meet() / CONNECTIONS;
      const seconds = held || turns > 1 ? BRIEF : ROUND;
      held = await readFor(seconds);
      if (turns > 1) await new Promise((resolve) => (timer = setTimeout(resolve, seconds * (turns - 1) * 1000)));
    }
  };
  // An answer that is not the server's (a proxy's page) and a broken connection are ends like any other.
  read().catch(() => {}).then(() => { if (!signal.aborted) end(); });
  const close = () => {
    clearTimeout(timer);
    neighbours.close();
    abort.abort();
  };
  return { send: () => false, close };
}

/**
 * The address of another path beside the WebSocket.
 * @param {URL} url  the WebSocket's
 * @param {string} path  relative to its folder
 */
export function beside(url, path) {
  const address = new URL(url);
  address.protocol = url.protocol.replace("ws", "http");
  address.pathname = url.pathname.replace(/[^/]*$/, path);
  return address;
}

/** The headers with which a request by fetch carries a token. @param {string|undefined} token */
export function tokenHeaders(token) {
  return token === undefined ? {} : { Authorization: `Bearer ${utf8Characters(token)}` };
}

/** The event stream's address. @param {URL} url  the WebSocket's @param {number} seconds */
function eventsUrl(url, seconds) {
  const address = beside(url, "events");
  address.searchParams.set("format", "v1");
  address.searchParams.set("for", `${seconds}s`);
  return address.href;
}

/**
 * The data of each event. The server writes it in one line; other lines are ignored.
 *
 * An endless line needs no bound of its own: while it lasts no message comes, so the connection closes for silence.
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

/** A text in base64url, without padding. @param {string} text */
function base64url(text) {
  return btoa(utf8Characters(text)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
