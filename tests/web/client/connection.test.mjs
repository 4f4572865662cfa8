/** The two ways to the server: from the WebSocket to the event stream and back, tokens, and a machine that slept. */

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

/** A link whose WebSocket failed and which reads an event stream, with the stream a at 1. */
async function detoured(t, options) {
  const all = start(t, options);
  all.server.last().end();
  all.events.last().accept();
  all.events.last().say(hello({ a: {} }), updates("7-1", [["a", 1, 1]]));
  await settled();
  assert.equal(all.link.status, "live");
  return all;
}

/** Let time pass while the event stream ticks. */
async function tick(time, request, seconds) {
  for (let i = 0; i < seconds; i += 5) {
    time.pass(5);
    request.say({ type: "tick", now: 5000 });
    await settled();
  }
}

test("the event stream serves where a proxy refuses the WebSocket", async (t) => {
  const { server, events, link, statuses } = start(t, { url: "https://wall.example/some/ws?pace=1s", streams: ["a", "b.*"], history: 3 });
  assert.equal(events.requests.length, 0);
  server.last().end();
  const { url } = events.last();
  assert.equal(url.origin + url.pathname, "https://wall.example/some/events");
  assert.deepEqual(Object.fromEntries(url.searchParams), { pace: "1s", format: "v1", for: "1s", streams: "a,b.*", history: "3" });
  events.last().accept();
  events.last().say(hello({ a: {} }), updates("7-1", [["a", 1, 42]]));
  await settled();
  assert.equal(link.streams.get("a").value, 42);
  assert.deepEqual(statuses, ["catching-up", "live"]);
});

test("a WebSocket that hangs holds up the event stream for four seconds, and may take over later", async (t) => {
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

test("a WebSocket's hello ends the event stream's attempt", async (t) => {
  const { time, server, events, link } = start(t);
  time.pass(4);
  server.last().say(hello({}, { more: false }));
  assert.ok(events.last().signal.aborted);
  assert.equal(link.status, "live");
  await settled();
  assert.equal(link.status, "live");
});

test("an event stream that fails does not end a WebSocket that hesitates", async (t) => {
  const { time, server, events, link } = start(t);
  time.pass(4);
  events.last().fail();
  await settled();
  assert.equal(link.status, "connecting");
  server.last().say(hello({}, { more: false }));
  assert.equal(link.status, "live");
});

test("a server whose first message is not hello is not used", (t) => {
  const { time, server, link } = start(t, { fetch: null });
  server.last().say({ type: "tick", now: 5000 }, updates("7-1", [["a", 1, 1]]));
  assert.equal(link.status, "connecting");
  assert.equal(link.streams.size, 0);
  time.pass(10);
  assert.equal(link.status, "lost");
});

test("both ways fail while the server is down, and the WebSocket stays first", async (t) => {
  const { time, server, events, link, chance } = start(t);
  chance.value = 1;
  for (const seconds of [1, 2, 4, 8, 8, 8]) {
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

test("an answer that is no event stream is not used", async (t) => {
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

test("the event stream tells why the server refuses", async (t) => {
  const { server, events, link, errors } = start(t);
  server.last().end();
  events.last().accept({ ok: false, json: async () => ({ error: { code: "bad-token", message: "no" } }) });
  await settled();
  assert.deepEqual(errors, [{ code: "bad-token", message: "no" }]);
  assert.equal(link.status, "lost");
});

test("events may arrive in any pieces, with any characters", async (t) => {
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

test("after a loss on the event stream the link resumes, and tries both ways at once", async (t) => {
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

test("a WebSocket takes over from the event stream without a gap and without a repeated update", async (t) => {
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

test("after each success the next WebSocket is tried soon", async (t) => {
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

test("pauses between WebSockets grow up to ten minutes, and one that hangs is closed", async (t) => {
  const { time, server, events, chance, link } = await detoured(t);
  chance.value = 1;
  const pauses = [];
  let last = time.now, tries = server.sockets.length;
  assert.equal(link.blocked, false);
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
  assert.equal(link.blocked, true);
  server.last().say(hello({ a: {} }, { at: "7-1", resumed: true, more: false }));
  assert.equal(link.blocked, false);
});

test("nonsense on a WebSocket that is being tried does not break the event stream", async (t) => {
  t.mock.method(console, "error", () => {});
  const { time, server, events, link } = await detoured(t);
  await tick(time, events.last(), 10);
  server.last().onmessage({ data: "<html>" });
  assert.equal(link.status, "live");
  assert.ok(server.last().closed);
});

test("two missed ticks or a bye end an event stream", async (t) => {
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

test("the token is a subprotocol of the WebSocket and a header of the event stream, and nowhere else", async (t) => {
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

test("without a token neither way sends one", (t) => {
  const { server, events } = start(t);
  assert.deepEqual(server.last().protocols, ["streamd.v1"]);
  server.last().end();
  assert.deepEqual(events.last().headers, {});
});

test("the event stream serves where a WebSocket cannot even be opened", async (t) => {
  const { events, link } = start(t, { WebSocket: class { constructor() { throw new Error("insecure"); } } });
  assert.equal(events.requests.length, 1);
  events.last().accept();
  events.last().say(hello({}, { more: false }));
  await settled();
  assert.equal(link.status, "live");
});

test("a report on an event stream is dropped without an error", async (t) => {
  const { link } = await detoured(t);
  link.report({ name: "kitchen-tv", wall: "kitchen", delay: 0 });
  assert.equal(link.status, "live");
});

test("close ends the event stream, its timers and its messages", async (t) => {
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

test("after sleep the link is lost and reconnects at once", (t) => {
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

test("after sleep a scheduled attempt comes at once", (t) => {
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

test("a network or a page that is back is tried at once, also while an attempt hangs", (t) => {
  globalThis.document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.removeEventListener = page.removeEventListener.bind(page);
  t.after(() => ["document", "addEventListener", "removeEventListener"].forEach((name) => delete globalThis[name]));
  const { time, server, link, chance } = start(t, { fetch: null });
  chance.value = 0.9;
  const back = [() => page.dispatchEvent(new Event("online")), () => document.dispatchEvent(new Event("visibilitychange"))];
  for (const come of back) {
    for (let i = 0; i < 6; i++) {
      server.last().end();
      time.pass(8);
    }
    const before = server.sockets.length;
    come(); // the last attempt hangs
    time.pass(1);
    assert.equal(server.sockets.length, before + 1);
    assert.ok(server.sockets.at(-2).closed);
    server.last().end();
    come(); // and now a pause lasts
    time.pass(1);
    assert.equal(server.sockets.length, before + 2);
  }
  const before = server.sockets.length;
  document.visibilityState = "hidden";
  back[1]();
  server.last().say(hello({}, { more: false }));
  back[0]();
  time.pass(1);
  assert.equal(link.status, "live");
  server.last().say({ type: "bye", after: [20, 20] });
  for (const come of back) come();
  time.pass(19);
  assert.equal(server.sockets.length, before);
  time.pass(1.1);
  assert.equal(server.sockets.length, before + 1);
  link.close();
  for (const come of back) come();
  assert.equal(time.waiting, 0);
});

test("a user and a password in the address are not part of the WebSocket's", (t) => {
  const { server } = start(t, { url: "http://ann:secret@wall.example:5000/" });
  assert.equal(server.last().url.href, "ws://wall.example:5000/ws");
});

test("a message that waited during sleep is not believed", (t) => {
  const { time, server, link } = start(t, { fetch: null });
  server.last().say(hello({ a: {} }, { more: false, now: 5000 }));
  time.sleep(3600);
  server.sockets[0].say(updates("7-2", [["a", 2, "old"]]));
  assert.equal(link.status, "lost");
  assert.equal(link.streams.get("a").seq, 0);
  assert.equal(server.sockets.length, 2);
});

test("a page that becomes visible checks its link, unless that is closed", (t) => {
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
