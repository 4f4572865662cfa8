/** A server, a clock and chance, all in the test's hand. */

// Node 18 has events, but not this one.
globalThis.CustomEvent ??= class CustomEvent extends Event {
  constructor(type, { detail = null } = {}) {
    super(type);
    this.detail = detail;
  }
};

/** Stands for the timers and the clock; `pass` lets time go by, and what is due happens on the way. */
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

/** The sockets that a link opens, and the server's side of each. */
export function fakeServer() {
  const sockets = [];
  class FakeWebSocket {
    onmessage = null;
    onclose = null;
    closed = false;

    constructor(url, protocols) {
      this.url = new URL(url);
      this.protocols = protocols;
      sockets.push(this);
    }

    close() {
      this.closed = true; // its event comes when the other side answers: on a dead link never
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
