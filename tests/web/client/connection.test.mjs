/** The ways to the server: the detour over an event stream, the way back, tokens, and a machine that slept. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../../../web/client/link.js";
import { FakeTime, fakeEvents, fakeServer, hello, settled, updates } from "../fakes.mjs";

/** A link, and both ways to its server. */
function start(t, options = {}) {
  const time = new FakeTime(t);
  const server = fakeServer();
  const events = fakeEvents();
  const chance = { value: 0 };
  const link = connect({
    url: "http://wall.example:5000",
    WebSocket: server.WebSocket,
    fetch: events.fetch,
    clock: () => time.now,
    random: () => chance.value,
    ...options,
  });
  const statuses = [], seen = [], errors = [];
  link.addEventListener("link", () => statuses.push(link.status));
  link.addEventListener("update", ({ detail }) => seen.push(detail.seq));
  link.addEventListener("error", ({ detail }) => errors.push(detail));
  return { time, server, events, chance, link, statuses, seen, errors };
}

const RESUMED = { resumed: true, more: true };

/** A link that was driven to the event stream, with a at 1. */
async function detoured(t, options) {
  const all = start(t, options);
  all.server.last().end();
  all.events.last().accept();
  all.events.last().say(hello({ a: {} }), updates("7-1", [["a", 1, 1]]));
  await settled();
  assert.equal(all.link.status, "live");
  return all;
}

/** Lets time go by while the event stream ticks. */
async function tick(time, request, seconds) {
  for (let i = 0; i < seconds; i += 5) {
    time.pass(5);
    request.say({ type: "tick", now: 5000 });
    await settled();
  }
}

test("where no WebSocket is let in, the event stream beside it serves", async (t) => {
  const { server, events, link, statuses } = start(t, { url: "https://wall.example/some/ws?pace=1s", streams: ["a", "b.*"], history: 3 });
  assert.equal(events.requests.length, 0);
  server.last().end();
  const { url } = events.last();
  assert.equal(url.origin + url.pathname, "https://wall.example/some/events");
  assert.deepEqual(Object.fromEntries(url.searchParams), { pace: "1s", format: "v1", streams: "a,b.*", history: "3" });
  events.last().accept();
  events.last().say(hello({ a: {} }), updates("7-1", [["a", 1, 42]]));
  await settled();
  assert.equal(link.streams.get("a").value, 42);
  assert.deepEqual(statuses, ["catching-up", "live"]);
});

test("a WebSocket that hangs is not waited for long, and is welcome later", async (t) => {
  const { time, server, events, link, statuses } = start(t);
  time.pass(3.9);
  assert.equal(events.requests.length, 0);
  time.pass(0.2);
  assert.equal(events.requests.length, 1);
  events.last().accept();
  events.last().say(hello({ a: {} }, { more: false }));
  await settled();
  assert.equal(link.status, "live");
  assert.ok(server.last().closed); // it was asked without a position
  time.pass(2);
  assert.equal(server.sockets.length, 2);
  server.last().say(hello({ a: {} }, { at: "0-0", resumed: true, more: false }));
  assert.ok(events.last().signal.aborted);
  assert.deepEqual(statuses, ["live"]);
});

test("whoever is first: a WebSocket's hello ends the event stream's attempt", async (t) => {
  const { time, server, events, link } = start(t);
  time.pass(4);
  server.last().say(hello({}, { more: false }));
  assert.ok(events.last().signal.aborted);
  assert.equal(link.status, "live");
  await settled();
  assert.equal(link.status, "live");
});

test("an event stream that fails does not end a WebSocket that only hesitates", async (t) => {
  const { time, server, events, link } = start(t);
  time.pass(4);
  events.last().fail();
  await settled();
  assert.equal(link.status, "connecting");
  server.last().say(hello({}, { more: false }));
  assert.equal(link.status, "live");
});

test("what says anything but hello first is no server of ours", (t) => {
  const { time, server, link } = start(t, { fetch: null });
  server.last().say({ type: "tick", now: 5000 }, updates("7-1", [["a", 1, 1]]));
  assert.equal(link.status, "connecting");
  assert.equal(link.streams.size, 0);
  time.pass(10);
  assert.equal(link.status, "lost");
});

test("a server that is down is no proxy in the way: both fail, and the WebSocket is first again", async (t) => {
  const { time, server, events, link, chance } = start(t);
  chance.value = 1;
  for (const seconds of [1, 2, 4, 8, 16, 20, 20]) {
    server.last().end();
    events.last().fail();
    await settled();
    assert.equal(link.status, "lost");
    const before = [server.sockets.length, events.requests.length];
    time.pass(seconds - 0.001);
    assert.deepEqual([server.sockets.length, events.requests.length], before);
    time.pass(0.002);
    assert.deepEqual([server.sockets.length, events.requests.length], [before[0] + 1, before[1]]);
  }
  server.last().say(hello({}, { more: false }));
  assert.equal(link.status, "live");
});

test("what answers but is no event stream is no way", async (t) => {
  for (const answer of [
    { headers: new Headers({ "Content-Type": "text/html" }) },
    { headers: new Headers() },
    { ok: false, json: async () => ({}) },
    { ok: false, json: async () => JSON.parse("<html>") },
  ]) {
    const { time, server, events, link } = start(t);
    server.last().end();
    events.last().accept(answer);
    await settled();
    assert.equal(link.status, "lost");
    time.pass(0.6);
    assert.equal(server.sockets.length, 2);
    link.close();
  }
});

test("a refusal can be read there", async (t) => {
  const { server, events, link, errors } = start(t);
  server.last().end();
  events.last().accept({ ok: false, json: async () => ({ error: { code: "bad-token", message: "no" } }) });
  await settled();
  assert.deepEqual(errors, [{ code: "bad-token", message: "no" }]);
  assert.equal(link.status, "lost");
});

test("events arrive in any pieces, and hold what JSON may", async (t) => {
  const { server, events, link } = start(t);
  server.last().end();
  events.last().accept();
  const value = "ä\u2028🙂\r\u2029 data: x";
  const [h, u] = [hello({ a: {} }), updates("7-1", [["a", 1, value]])].map((m) => JSON.stringify(m));
  const bytes = new TextEncoder().encode(`retry: 1000\n\nevent: hello\ndata: ${h}\n\n: comment\n\nevent: updates\nid: 7-1\ndata: ${u}\n\n`);
  for (const byte of bytes) events.last().write(new Uint8Array([byte]));
  for (let i = 0; i < 100 && link.status !== "live"; i++) await settled();
  assert.equal(link.streams.get("a").value, value);
});

test("on the detour, it goes on from its position, and begins with both ways", async (t) => {
  const { time, server, events, link } = await detoured(t);
  events.last().end();
  await settled();
  assert.equal(link.status, "lost");
  const sockets = server.sockets.length;
  time.pass(0.5);
  assert.equal(server.sockets.length, sockets + 1);
  assert.equal(events.requests.length, 2);
  assert.equal(events.last().url.searchParams.get("after"), "7-1");
  assert.equal(server.last().url.searchParams.get("after"), "7-1");
  events.last().accept();
  events.last().say(hello({ a: {} }, { at: "7-1", ...RESUMED }), updates("7-2", [["a", 2, 2]]));
  await settled();
  assert.equal(link.streams.get("a").value, 2);
});

test("climbs back without interrupting the picture, without a hole, and without telling anything twice", async (t) => {
  const { time, server, events, link, statuses, seen } = await detoured(t, { history: 9 });
  statuses.length = 0;
  time.pass(2);
  assert.equal(server.sockets.length, 2);
  assert.equal(server.last().url.searchParams.get("after"), "7-1");
  events.last().say(updates("7-3", [["a", 2, 2], ["a", 3, 3]])); // while the handshake is under way
  await settled();
  server.last().say(hello({ a: {} }, { at: "7-1", ...RESUMED }), updates("7-4", [["a", 2, 2], ["a", 3, 3], ["a", 4, 4]]));
  assert.deepEqual(seen, [1, 2, 3, 4]);
  assert.deepEqual(link.streams.get("a").history.map(({ seq }) => seq), [1, 2, 3, 4]);
  assert.equal(link.streams.get("a").missed, 0);
  assert.deepEqual(statuses, []);
  assert.equal(link.at, "7-4");
  assert.ok(events.last().signal.aborted);
  time.pass(9);
  server.last().say({ type: "tick", now: 5000 });
  time.pass(9);
  assert.equal(link.status, "live");
  assert.equal(server.sockets.length, 2);
});

test("each detour begins with a short climb", async (t) => {
  const { time, server, events, chance, link } = await detoured(t);
  chance.value = 1;
  for (const seconds of [2, 4]) {
    const before = server.sockets.length;
    time.pass(seconds - 0.5);
    assert.equal(server.sockets.length, before);
    time.pass(0.5);
    assert.equal(server.sockets.length, before + 1);
    const tried = server.last();
    tried.say(hello({ a: {} }, { at: "7-1", resumed: true, more: false }), { type: "tick", now: 5000 });
    tried.end();
    time.pass(1);
    server.last().end();
    events.last().accept();
    events.last().say(hello({ a: {} }, { at: "7-1", resumed: true, more: false }));
    await settled();
    assert.equal(link.status, "live");
  }
});

test("climbing pauses grow up to ten minutes, and a WebSocket that hangs is left for the next", async (t) => {
  const { time, server, events, chance, link } = await detoured(t);
  chance.value = 1;
  const pauses = [];
  let last = time.now, tries = server.sockets.length;
  while (pauses.length < 10) {
    time.pass(1);
    events.last().say({ type: "tick", now: 5000 });
    await settled();
    if (server.sockets.length === tries) continue;
    pauses.push(Math.round(time.now - last));
    [last, tries] = [time.now, server.sockets.length];
    if (pauses.length % 2) server.last().end();
    assert.equal(server.sockets.filter(({ closed }) => !closed).length, 1 - pauses.length % 2);
  }
  assert.deepEqual(pauses, [2, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
  assert.equal(link.status, "live");
});

test("nonsense on a WebSocket that is only tried does not break the event stream", async (t) => {
  t.mock.method(console, "error", () => {});
  const { time, server, events, link } = await detoured(t);
  await tick(time, events.last(), 10);
  server.last().onmessage({ data: "<html>" });
  assert.equal(link.status, "live");
  assert.ok(server.last().closed);
});

test("two missed ticks and a bye end an event stream as they end a WebSocket", async (t) => {
  const silent = await detoured(t);
  silent.time.pass(11.1);
  assert.equal(silent.link.status, "lost");
  assert.ok(silent.events.requests[0].signal.aborted);
  silent.link.close();

  const { time, events, chance, link } = await detoured(t);
  chance.value = 0.5;
  events.last().say({ type: "bye", reason: "restart", after: [2, 8] });
  await settled();
  assert.equal(link.status, "lost");
  time.pass(4.9);
  assert.equal(events.requests.length, 1);
  time.pass(0.2);
  assert.equal(events.requests.length, 2);
});

test("a token is the second subprotocol, and a header on the detour; nowhere else", async (t) => {
  const token = "sécret/+?>~!";
  const { server, events, link, errors } = start(t, { token });
  const [v1, second] = server.last().protocols;
  assert.equal(v1, "streamd.v1");
  assert.match(second, /^streamd\.token\.[\w-]+$/);
  assert.equal(Buffer.from(second.slice("streamd.token.".length), "base64url").toString(), token);
  server.last().end();
  assert.equal(Buffer.from(events.last().headers.Authorization, "latin1").toString(), `Bearer ${token}`);
  events.last().fail();
  await settled();
  for (const { href } of [server.last().url, events.last().url]) {
    assert.ok(!decodeURIComponent(href).includes(token) && !href.includes(second));
  }
  assert.deepEqual(errors, []);
  assert.ok(!JSON.stringify(link).includes("cret"));
});

test("without a token there is no sign of one", (t) => {
  const { server, events } = start(t);
  assert.deepEqual(server.last().protocols, ["streamd.v1"]);
  server.last().end();
  assert.deepEqual(events.last().headers, {});
});

test("where a WebSocket may not even be tried, the event stream is", async (t) => {
  const { events, link } = start(t, { WebSocket: class { constructor() { throw new Error("insecure"); } } });
  assert.equal(events.requests.length, 1);
  events.last().accept();
  events.last().say(hello({}, { more: false }));
  await settled();
  assert.equal(link.status, "live");
});

test("a report on the detour is no error", async (t) => {
  const { link } = await detoured(t);
  link.report({ name: "kitchen-tv", wall: "kitchen", delay: 0 });
  assert.equal(link.status, "live");
});

test("close leaves nothing on the detour, and nothing comes after it", async (t) => {
  const { time, server, events, link, seen } = await detoured(t);
  await tick(time, events.last(), 10);
  events.last().say(updates("7-2", [["a", 2, 2]]));
  link.close();
  await settled();
  assert.ok(events.last().signal.aborted);
  assert.ok(server.last().closed);
  assert.deepEqual(seen, [1]);
  assert.equal(time.waiting, 0);
  assert.equal(link.status, "closed");
});

test("who slept comes back at once, whatever was on the screen", (t) => {
  const { time, server, link } = start(t, { fetch: null });
  server.last().say(hello({ a: {} }, { more: false, now: 5000 }));
  time.pass(4);
  time.sleep(3 * 3600);
  time.pass(1);
  assert.equal(link.status, "lost");
  assert.equal(server.sockets.length, 2);
  assert.equal(link.now(), 5000 + 3 * 3600 + 5);
  assert.equal(link.lostSince, 5000);
});

test("who slept while it waited for its next attempt makes it at once", (t) => {
  const { time, server, chance } = start(t, { fetch: null });
  chance.value = 1;
  for (let i = 0; i < 6; i++) {
    server.last().end();
    time.pass(20);
  }
  server.last().end();
  const before = server.sockets.length;
  time.sleep(3600);
  time.pass(1);
  assert.equal(server.sockets.length, before + 1);
});

test("a message that lay there while the machine slept is not taken for news", (t) => {
  const { time, server, link } = start(t, { fetch: null });
  server.last().say(hello({ a: {} }, { more: false, now: 5000 }));
  time.sleep(3600);
  server.sockets[0].say(updates("7-2", [["a", 2, "old"]]));
  assert.equal(link.status, "lost");
  assert.equal(link.streams.get("a").seq, 0);
  assert.equal(server.sockets.length, 2);
});

test("a page that was hidden looks at the clock when it is seen again, and a closed one never", (t) => {
  globalThis.document = new EventTarget();
  t.after(() => delete globalThis.document);
  const { time, server, link } = start(t, { fetch: null });
  const seen = () => document.dispatchEvent(new Event("visibilitychange"));
  server.last().say(hello({}, { more: false }));
  seen();
  assert.equal(link.status, "live");
  time.sleep(60); // its timers did not run
  seen();
  assert.equal(link.status, "lost");
  assert.equal(server.sockets.length, 2);
  link.close();
  time.sleep(60);
  seen();
  assert.equal(server.sockets.length, 2);
  assert.equal(time.waiting, 0);
});
