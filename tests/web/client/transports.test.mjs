/** The two transports alone. How they take turns is in connection.test.mjs. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { openEvents, openSocket } from "../../../web/client/transports.js";
import { fakeEvents, fakeServer, settled } from "../fakes.mjs";

/** A receiver that keeps what it is given. */
function recorder() {
  const heard = [];
  return { heard, receive: (text) => heard.push(text), end: () => heard.push("end"), refused: ({ code }) => heard.push(`refused: ${code}`) };
}

const SOCKET_URL = new URL("wss://wall.example/some/ws?streams=a&format=plain#x");

test("a WebSocket passes on messages and its end, and nothing after it was closed", () => {
  for (const close of [false, true]) {
    const [server, receiver] = [fakeServer(), recorder()];
    const socket = openSocket(SOCKET_URL, undefined, receiver, server.WebSocket);
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
  openEvents(SOCKET_URL, "sécret", recorder(), fetch);
  assert.equal(last().url.origin + last().url.pathname, "https://wall.example/some/events");
  assert.deepEqual(Object.fromEntries(last().url.searchParams), { streams: "a", format: "v1" });
  assert.equal(Buffer.from(last().headers.Authorization, "latin1").toString(), "Bearer sécret");
});

test("an event stream passes on the data of events and its end, and nothing after it was closed", async () => {
  for (const close of [false, true]) {
    const [{ last, fetch }, receiver] = [fakeEvents(), recorder()];
    const events = openEvents(SOCKET_URL, undefined, receiver, fetch);
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
  openEvents(SOCKET_URL, undefined, receiver, fetch);
  last().accept({ ok: false, json: async () => ({ error: { code: "bad-token", message: "no" } }) });
  await settled();
  assert.deepEqual(receiver.heard, ["refused: bad-token", "end"]);
});
