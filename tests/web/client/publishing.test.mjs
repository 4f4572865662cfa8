/** What a page publishes: each promise is settled by its receipt, in order, or by the end of the connection. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { PublishError, Publishing } from "../../../web/client/publishing.js";
import { connect } from "../../../web/streamd.js";
import { FakeTime, fakeServer, hello } from "../fakes.mjs";

/** A connection that can be closed, and what was sent on it. */
function start() {
  const wire = { open: true, sent: [] };
  const publishing = new Publishing((message) => {
    if (wire.open) wire.sent.push(JSON.parse(JSON.stringify(message)));
    return wire.open;
  });
  return { wire, publishing };
}

const one = (value) => [{ stream: "a", value }];
const code = (promise) => promise.then(() => "done", (error) => (assert(error instanceof PublishError), error.code));

test("receipts settle the promises in the order of the messages", async () => {
  const { wire, publishing } = start();
  const promises = [publishing.publish(one(1), "k"), publishing.publish([{ stream: "b", value: undefined, time: 7 }])];
  assert.deepEqual(wire.sent, [
    { type: "publish", updates: [{ stream: "a", value: 1 }], key: "k" },
    { type: "publish", updates: [{ stream: "b", value: null, time: 7 }] },
  ]);
  publishing.answered({ at: "1-1", seq: [1], key: "k" });
  publishing.answered({ error: { code: "no-right", message: "updates[0]: no", index: 0 } });
  assert.deepEqual(await promises[0], { at: "1-1", seq: [1], key: "k" });
  await assert.rejects(promises[1], { code: "no-right", message: "updates[0]: no", index: 0 });
});

test("without a connection nothing is published", async () => {
  const { wire, publishing } = start();
  wire.open = false;
  assert.equal(await code(publishing.publish(one(1))), "not-connected");
  wire.open = true;
  const next = publishing.publish(one(2));
  publishing.answered({ seq: [1] });
  assert.deepEqual((await next).seq, [1]);
});

test("what was under way is lost with the connection", async () => {
  const { publishing } = start();
  const promises = [publishing.publish(one(1)), publishing.publish(one(2))];
  publishing.answered({ seq: [1] });
  publishing.lost();
  assert.deepEqual(await Promise.all(promises.map(code)), ["done", "lost"]);
});

test("at most 32 messages are under way", async () => {
  const { wire, publishing } = start();
  const promises = Array.from({ length: 100 }, (_, n) => publishing.publish(one(n)));
  assert.equal(wire.sent.length, 32);
  for (let n = 0; n < 100; n++) publishing.answered({ seq: [n] });
  assert.deepEqual((await Promise.all(promises)).map(({ seq: [n] }) => n), Array.from({ length: 100 }, (_, n) => n));
  assert.deepEqual(wire.sent.map(({ updates: [{ value }] }) => value), Array.from({ length: 100 }, (_, n) => n));
});

test("a link publishes, and its end settles every promise", async (t) => {
  const time = new FakeTime(t);
  const server = fakeServer();
  const link = connect({ url: "http://wall.example", WebSocket: server.WebSocket, fetch: null, clock: () => time.now });
  assert.equal(await code(link.publish(one(1))), "not-connected");
  server.last().say(hello());
  const [first, second] = [link.publish(one(1)), link.publish(one(2))];
  server.last().say({ type: "receipt", at: "1-1", seq: [1] });
  assert.deepEqual((await first).seq, [1]);
  link.close();
  assert.equal(await code(second), "lost");
});
