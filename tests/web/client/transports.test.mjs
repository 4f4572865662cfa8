/** The two transports alone. How they take turns is in connection.test.mjs. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { openEvents, openSocket } from "../../../web/client/transports.js";
import { Neighbours } from "../../../web/client/neighbours.js";
import { FakeTime, fakeEvents, fakeServer, settled } from "../fakes.mjs";

/** A receiver that keeps what it is given. */
function recorder() {
  const heard = [];
  return { heard, receive: (text) => heard.push(text), end: () => heard.push("end"), refused: ({ code }) => heard.push(`refused: ${code}`) };
}

const socketUrl = () => new URL("wss://wall.example/some/ws?streams=a&format=plain#x");
const clock = () => 0;

test("a WebSocket passes on messages and its end, and nothing after it was closed", () => {
  for (const close of [false, true]) {
    const [server, receiver] = [fakeServer(), recorder()];
    const socket = openSocket(socketUrl, undefined, receiver, server);
    server.last().say({ a: 1 });
    socket.send({ b: 2 });
    if (close) socket.close();
    server.last().say({ a: 3 });
    server.last().end();
    assert.deepEqual(receiver.heard, close ? ['{"a":1}'] : ['{"a":1}', '{"a":3}', "end"]);
    assert.deepEqual(server.last().said, [{ b: 2 }]);
  }
});

test("an event stream is asked for beside the WebSocket, as v1", () => {
  const { last, fetch } = fakeEvents();
  openEvents(socketUrl, "sécret", recorder(), { fetch, clock });
  assert.equal(last().url.origin + last().url.pathname, "https://wall.example/some/events");
  assert.deepEqual(Object.fromEntries(last().url.searchParams), { streams: "a", format: "v1", for: "1s" });
  assert.equal(Buffer.from(last().headers.Authorization, "latin1").toString(), "Bearer sécret");
});

test("an event stream passes on the data of events and its end, and nothing after it was closed", async () => {
  for (const close of [false, true]) {
    const [{ last, fetch }, receiver] = [fakeEvents(), recorder()];
    const events = openEvents(socketUrl, undefined, receiver, { fetch, clock });
    last().accept();
    last().write(new TextEncoder().encode(": comment\n\nevent: tick\ndata: 1\n\ndata: 2\n\nda"));
    await settled();
    if (close) events.close();
    last().write(new TextEncoder().encode("ta: 3\n\n"));
    last().end();
    await settled();
    assert.deepEqual(receiver.heard, close ? ["1", "2"] : ["1", "2", "3", "end"]);
  }
});

test("an event stream that is refused says why, and ends", async () => {
  const [{ last, fetch }, receiver] = [fakeEvents(), recorder()];
  openEvents(socketUrl, undefined, receiver, { fetch, clock });
  last().accept({ ok: false, json: async () => ({ error: { code: "bad-token", message: "no" } }) });
  await settled();
  assert.deepEqual(receiver.heard, ["refused: bad-token", "end"]);
});

test("event streams follow each other, soon after a proxy that holds them back, and each resumes", async () => {
  const [{ requests, last, fetch }, receiver] = [fakeEvents(), recorder()];
  let now = 0;
  const address = () => new URL(`wss://wall.example/ws?after=${receiver.heard.length}`);
  openEvents(address, undefined, receiver, { fetch, clock: () => now });
  const lasts = [];
  // When the first message comes, and when the stream ends; after that, how long the next stream is to last.
  for (const [first, ended] of [[0.1, 1.1], [0.2, 4.2], [4.1, 4.2], [1, 1.05], [0.3, 1.2]]) {
    const began = now;
    last().accept();
    now = began + first;
    last().write(new TextEncoder().encode("data: hello\n\n"));
    await settled();
    now = began + ended;
    last().say({ type: "tick" });
    last().end();
    await settled();
    lasts.push(last().url.searchParams.get("for"));
  }
  assert.deepEqual(lasts, ["4s", "4s", "1s", "1s", "4s"]);
  assert.deepEqual(requests.map(({ url }) => url.searchParams.get("after")), ["0", "2", "4", "6", "8", "10"]);
  now += 1;
  last().accept();
  last().say({ type: "hello" });
  await settled();
  now += 0.5; // a restart, or a proxy that cuts streams
  last().end();
  await settled();
  assert.equal(requests.length, 6);
  assert.equal(receiver.heard.at(-1), "end");
});

test("a stream that ends without a tick was cut", async () => {
  const [{ requests, last, fetch }, receiver] = [fakeEvents(), recorder()];
  let now = 0;
  openEvents(socketUrl, undefined, receiver, { fetch, clock: () => now });
  last().accept();
  last().say({ type: "tick" });
  last().say({ type: "updates" });
  await settled();
  now = 0.9;
  last().end();
  await settled();
  assert.equal(requests.length, 1);
  assert.equal(receiver.heard.at(-1), "end");
});

test("an answer without a message is the end: asking again at once would be a flood", async () => {
  const [{ requests, last, fetch }, receiver] = [fakeEvents(), recorder()];
  let now = 0;
  openEvents(socketUrl, undefined, receiver, { fetch, clock: () => now });
  last().accept();
  last().write(new TextEncoder().encode("retry: 1000\n\n"));
  now = 9;
  last().end();
  await settled();
  assert.equal(requests.length, 1);
  assert.deepEqual(receiver.heard, ["end"]);
});

test("pages that share a browser's connections have brief streams, and leave room for each other", async (t) => {
  const time = new FakeTime(t);
  const channels = [];
  class Channel {
    constructor() {
      channels.push(this);
    }
    postMessage(data) {
      for (const each of channels) if (each !== this) each.onmessage({ data });
    }
    close() {
      channels.splice(channels.indexOf(this), 1);
    }
  }
  const others = Array.from({ length: 9 }, () => new Neighbours(() => time.now, Channel));
  const [{ requests, last, fetch }, receiver] = [fakeEvents(), recorder()];
  const events = openEvents(socketUrl, undefined, receiver, { fetch, clock: () => time.now, BroadcastChannel: Channel });
  /** Let a stream last its time, and return for how long the next one is asked for. */
  const round = async (seconds) => {
    last().accept();
    last().say({ type: "hello" });
    await settled();
    time.pass(seconds);
    last().say({ type: "tick" });
    last().end();
    await settled();
    return last().url.searchParams.get("for");
  };
  assert.equal(await round(1), "4s");
  others.forEach((other) => other.meet());
  await round(4);
  assert.equal(requests.length, 3);
  assert.equal(last().url.searchParams.get("for"), "1s");
  for (let i = 0; i < 2; i++) {
    others.forEach((other) => other.meet());
    await round(1);
    assert.equal(requests.length, 3 + i, "ten pages, five connections: it rests as long as it reads");
    time.pass(1);
    await settled();
    assert.equal(requests.length, 4 + i);
  }
  time.pass(11);
  await round(1);
  time.pass(1);
  await settled();
  assert.equal(await round(1), "4s", "the others have gone");
  events.close();
  assert.equal(channels.length, 9);
  assert.equal(time.waiting, 0);
});

test("a page that may not speak to others reads all the same", () => {
  class Blocked {
    constructor() {
      throw new Error("The operation is insecure.");
    }
  }
  assert.equal(new Neighbours(() => 0, Blocked).meet(), 1);
});
