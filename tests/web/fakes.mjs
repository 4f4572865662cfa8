/** Fakes of the server and of time, which the test controls. */

// Node 18 has no CustomEvent.
globalThis.CustomEvent ??= class CustomEvent extends Event {
  constructor(type, { detail = null } = {}) {
    super(type);
    this.detail = detail;
  }
};

/** Replaces the timers and the clock. `pass` lets time pass and runs the timers that are due. */
export class FakeTime {
  now = 1000;
  #timers = new Map();
  #ids = 0;

  /** Replaces the global timers until the test ends. */
  constructor(t) {
    const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
    globalThis.setTimeout = (call, ms) => {
      this.#timers.set(++this.#ids, { due: this.now + ms / 1000, call });
      return this.#ids;
    };
    globalThis.clearTimeout = (id) => this.#timers.delete(id);
    t.after(() => Object.assign(globalThis, real));
  }

  /** How many timers are waiting. */
  get waiting() {
    return this.#timers.size;
  }

  /** Let time pass without running any timer, as during sleep. */
  sleep(seconds) {
    this.now += seconds;
  }

  pass(seconds) {
    const end = this.now + seconds;
    for (;;) {
      const [id, next] = [...this.#timers].filter(([, { due }]) => due <= end).sort(([, a], [, b]) => a.due - b.due)[0] ?? [];
      if (!next) break;
      this.#timers.delete(id);
      this.now = Math.max(this.now, next.due);
      next.call();
    }
    this.now = end;
  }
}

/** The WebSockets that a link opens, with the server's side of each. */
export function fakeServer() {
  const sockets = [];
  class FakeWebSocket {
    onmessage = null;
    onclose = null;
    closed = false;
    said = [];

    constructor(url, protocols) {
      this.url = new URL(url);
      this.protocols = protocols;
      sockets.push(this);
    }

    close() {
      this.closed = true; // its event comes when the other side answers: on a dead link never
    }

    send(text) {
      this.said.push(JSON.parse(text));
    }

    /** The server says this. */
    say(...messages) {
      for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) });
    }

    /** The server is gone. */
    end() {
      this.onclose?.({});
    }
  }
  return { sockets, WebSocket: FakeWebSocket, last: () => sockets.at(-1) };
}

/** A hello; `at` and `resumed` as for a first connect. */
export function hello(streams = {}, more = {}) {
  const health = Object.fromEntries(Object.keys(streams).map((name) => [name, { state: "fresh", level: "ok", since: 1, proof: 1 }]));
  return { type: "hello", server: "streamd/1.0", now: 5000, at: "0-0", resumed: false, tick: 5, streams, health, ...more };
}

/** An updates message: each is [stream, seq, value]. */
export function updates(at, list, more = {}) {
  return { type: "updates", at, updates: list.map(([stream, seq, value]) => ({ stream, seq, at, time: 4999, value })), ...more };
}

/** The event streams that a link opens, with the server's side of each. Await `settled()` to see an effect. */
export function fakeEvents() {
  const requests = [];
  const fetch = (url, { headers, signal }) => {
    const { promise, resolve, reject } = defer();
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    writer.closed.catch(() => {}); // an abort of the reader's is no failure of the test
    signal.addEventListener("abort", () => reject(signal.reason));
    requests.push({
      url: new URL(url),
      headers,
      signal,
      /** Answers with the head of an event stream, or whatever else. */
      accept: (answer = {}) => resolve({ ok: true, headers: new Headers({ "Content-Type": "text/event-stream; charset=utf-8" }), body: readable, ...answer }),
      /** Nobody listens on the port. */
      fail: () => reject(new TypeError("Failed to fetch")),
      write: (bytes) => void writer.write(bytes).catch(() => {}),
      /** The server says this, each in an event as it writes them. */
      say(...messages) {
        this.write(new TextEncoder().encode(messages.map((message) => `event: ${message.type}\ndata: ${JSON.stringify(message)}\n\n`).join("")));
      },
      /** The server is gone. */
      end: () => void writer.close().catch(() => {}),
    });
    return promise;
  };
  return { requests, fetch, last: () => requests.at(-1) };
}

function defer() {
  let resolve, reject;
  const promise = new Promise((...functions) => ([resolve, reject] = functions));
  return { promise, resolve, reject };
}

/** Wait until all promises are settled: one turn of the real event loop, in which no fake time passes. */
export function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}
