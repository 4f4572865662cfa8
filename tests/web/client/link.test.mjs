/** The client library: what it keeps, when it is live, and when it reconnects. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../../../web/streamd.js";
import { FakeTime, fakeServer, hello, updates } from "../fakes.mjs";

/** A link, its server, and the events that it sent. */
function start(t, options = {}) {
  const time = new FakeTime(t);
  const server = fakeServer();
  const chance = { value: 0 };
  const link = connect({
    url: "http://wall.example:5000",
    WebSocket: server.WebSocket,
    fetch: null,
    clock: () => time.now,
    random: () => chance.value,
    ...options,
  });
  const seen = [];
  for (const type of ["update", "change", "link", "journal", "error"]) {
    link.addEventListener(type, ({ detail }) => seen.push([type, type === "link" ? link.status : detail]));
  }
  const statuses = () => seen.filter(([type]) => type === "link").map(([, status]) => status);
  return { time, server, chance, link, seen, statuses };
}

/** The link's values by name. */
const values = (link) => Object.fromEntries([...link.streams].map(([name, { value }]) => [name, value]));

test("the link asks for v1 at /ws of the same host", (t) => {
  const { server } = start(t);
  assert.equal(server.last().url.href, "ws://wall.example:5000/ws");
  assert.deepEqual(server.last().protocols, ["streamd.v1"]);
});

test("the link asks for the selected streams, over TLS if the page uses TLS", (t) => {
  const { server } = start(t, { url: "https://wall.example/some/ws", streams: ["orders", "db.*"] });
  assert.equal(server.last().url.origin, "wss://wall.example");
  assert.equal(server.last().url.pathname, "/some/ws");
  assert.equal(server.last().url.searchParams.get("streams"), "orders,db.*");
});

test("an empty selection reads no stream", (t) => {
  const { server } = start(t, { streams: [] });
  assert.equal(server.last().url.search, "?streams=");
});

test("the link keeps the streams and tells its listeners", (t) => {
  const { server, link, seen, statuses } = start(t);
  server.last().say(hello({ orders: { title: "Orders" } }), updates("7-1", [["orders", 3, 42]]));
  const { name, description, health, seq, at, value, time, missed } = link.streams.get("orders");
  assert.deepEqual({ name, seq, at, value, time, missed }, { name: "orders", seq: 3, at: "7-1", value: 42, time: 4999, missed: 0 });
  assert.equal(description.title, "Orders");
  assert.equal(health.state, "fresh");
  assert.equal(link.at, "7-1");
  assert.deepEqual(statuses(), ["catching-up", "live"]);
  assert.deepEqual(seen.filter(([type]) => type === "update").map(([, update]) => update.value), [42]);
  assert.deepEqual(seen.filter(([type]) => type === "change").map(([, { names }]) => names), [["orders"], ["orders"]]);
});

test("a change has the new values of its message, in order", (t) => {
  const { server, seen } = start(t);
  const changes = () => seen.filter(([type]) => type === "change").map(([, { names, updates: news }]) => [names, news?.map(({ stream, value }) => [stream, value])]);
  server.last().say(hello({ a: {}, b: {} }), updates("7-2", [["a", 1, 1], ["b", 1, 5], ["a", 2, 2]]));
  assert.deepEqual(changes(), [[["a", "b"], undefined], [["a", "b"], [["a", 1], ["b", 5], ["a", 2]]]]);
  server.last().say(updates("7-3", [["a", 2, 2], ["b", 2, 6]])); // the first one came before
  assert.deepEqual(changes().at(-1), [["b"], [["b", 6]]]);
});

test("the link is not live while the newest value is still to come", (t) => {
  const { server, link } = start(t);
  server.last().say(hello({ a: {}, b: {} }), updates("7-1", [["a", 1, 1]], { more: true }));
  assert.equal(link.status, "catching-up");
  server.last().say({ type: "tick", now: 5001 });
  assert.equal(link.status, "catching-up");
  server.last().say(updates("7-2", [["b", 1, 1]]));
  assert.equal(link.status, "live");
});

test("after a hello the link is live if nothing follows, or at the first tick", (t) => {
  const resumed = { at: "7-1", resumed: true };
  for (const [messages, status] of [
    [[hello({ a: {} }, resumed)], "live"],
    [[hello({ a: {} }, { ...resumed, more: true })], "catching-up"],
    [[hello({ a: {} }, { ...resumed, more: true }), updates("7-2", [["a", 2, 1]])], "live"],
    [[hello()], "live"],
    [[hello({ a: {} })], "catching-up"],
    [[hello({ a: {} }, { more: false })], "live"],
    [[hello({ a: {} }), { type: "tick", now: 5001 }], "live"],
  ]) {
    const { server, link } = start(t);
    server.last().say(...messages);
    assert.equal(link.status, status, JSON.stringify(messages));
  }
});

test("the link reconnects with its position and resumes", (t) => {
  const { time, server, link } = start(t);
  server.last().say(hello({ a: {}, b: {} }), updates("7-1", [["a", 1, "old"], ["b", 1, "kept"]]));
  server.last().end();
  assert.equal(link.status, "lost");
  time.pass(0.5);
  assert.equal(server.last().url.searchParams.get("after"), "7-1");
  server.last().say(hello({ a: {}, b: {} }, { at: "7-1", resumed: true, more: true }));
  assert.deepEqual(values(link), { a: "old", b: "kept" });
  assert.equal(link.status, "catching-up");
  server.last().say(updates("7-3", [["a", 2, "new"]]));
  assert.deepEqual(values(link), { a: "new", b: "kept" });
  assert.equal(link.status, "live");
});

test("a hello that does not resume replaces all values", (t) => {
  const { time, server, link } = start(t);
  server.last().say(hello({ a: {}, b: {} }), updates("7-1", [["a", 9, "old"], ["b", 9, "old"]]));
  server.last().end();
  time.pass(0.5);
  server.last().say(hello({ a: {} }));
  assert.deepEqual(values(link), { a: undefined });
  assert.equal(link.streams.get("a").seq, 0);
  assert.equal(link.at, "0-0");
  server.last().say(updates("1-1", [["a", 12, "new"]]));
  assert.deepEqual(values(link), { a: "new" });
  assert.equal(link.streams.get("a").missed, 0);
});

test("a hello that resumes drops the streams that were forgotten meanwhile", (t) => {
  const { time, server, link, seen } = start(t);
  server.last().say(hello({ a: {}, b: {} }), updates("7-1", [["a", 1, 1], ["b", 1, 1]]));
  server.last().end();
  time.pass(0.5);
  seen.length = 0;
  server.last().say(hello({ b: {} }, { at: "7-1", resumed: true }));
  assert.deepEqual(values(link), { b: 1 });
  assert.deepEqual(seen.find(([type]) => type === "change")[1].names.sort(), ["a", "b"]);
});

test("gaps in seq are counted as missed updates", (t) => {
  const { server, link } = start(t);
  server.last().say(hello({ a: {} }), updates("7-1", [["a", 7, 1]]), updates("7-2", [["a", 11, 1], ["a", 12, 1]]));
  assert.equal(link.streams.get("a").missed, 3);
});

test("pauses are random, from half a second up to a limit that doubles to 8 s", (t) => {
  for (const [random, expected] of [[0, Array(9).fill(0.5)], [1, [1, 2, 4, 8, 8, 8, 8, 8, 8]]]) {
    const { time, server, chance } = start(t);
    chance.value = random;
    for (const seconds of expected) {
      const before = server.sockets.length;
      server.last().end();
      time.pass(seconds - 0.001);
      assert.equal(server.sockets.length, before);
      time.pass(0.002);
      assert.equal(server.sockets.length, before + 1);
    }
  }
});

test("the link still tries after ten thousand failures", (t) => {
  const { time, server, chance } = start(t);
  chance.value = 1;
  for (let i = 0; i < 10_000; i++) {
    server.last().end();
    time.pass(20);
  }
  assert.ok(server.sockets.length > 10_000);
  assert.equal(time.waiting, 1);
});

test("only a link that lasted a tick resets the pauses", (t) => {
  const { time, server, chance } = start(t);
  chance.value = 1;
  const again = () => {
    const before = server.sockets.length;
    server.last().end();
    for (let seconds = 1; ; seconds++) {
      time.pass(1);
      if (server.sockets.length > before) return seconds;
    }
  };
  assert.deepEqual([again(), again()], [1, 2]);
  server.last().say(hello());
  assert.equal(again(), 4);
  server.last().say(hello(), { type: "tick", now: 5001 });
  assert.equal(again(), 1);
});

test("two missed ticks end the link at once", (t) => {
  const { time, server, link } = start(t);
  server.last().say(hello({ a: {} }, { tick: 2 }), updates("7-1", [["a", 1, 1]]));
  const [first] = server.sockets;
  time.pass(4);
  assert.equal(link.status, "live");
  time.pass(1);
  assert.equal(link.status, "lost");
  assert.ok(first.closed);
  assert.equal(link.now() - link.lostSince, 5); // since it was last heard, not since that was noticed
  time.pass(1);
  assert.equal(server.sockets.length, 2);
  first.say(updates("7-2", [["a", 2, "late"]])); // nobody listens any more
  assert.equal(link.streams.get("a").value, 1);
});

test("ticks keep the link alive", (t) => {
  const { time, server, link } = start(t);
  server.last().say(hello());
  for (let i = 0; i < 100; i++) {
    time.pass(5);
    server.last().say({ type: "tick", now: 5000 + i * 5 });
  }
  assert.equal(link.status, "live");
  assert.equal(server.sockets.length, 1);
});

test("a server that accepts and sends nothing is given up after ten seconds", (t) => {
  const { time, server, link } = start(t);
  time.pass(9.9);
  assert.equal(link.status, "connecting");
  time.pass(0.7);
  assert.equal(link.status, "lost");
  assert.equal(server.sockets.length, 2);
});

test("the link reconnects when the server's bye asks it to", (t) => {
  const { time, server, chance, link } = start(t);
  server.last().say(hello());
  chance.value = 0.5;
  server.last().say({ type: "bye", reason: "restart", after: [2, 8] });
  assert.equal(link.status, "lost");
  time.pass(4.9);
  assert.equal(server.sockets.length, 1);
  time.pass(0.2);
  assert.equal(server.sockets.length, 2);
});

test("a bye with a bad pause is an ordinary loss, and a long pause is bounded", (t) => {
  for (const [after, seconds] of [[undefined, 0.5], [[], 0.5], [["a", {}], 0.5], [[5, 1], 0.5], [[-1, 1], 0.5], [[1e9, 1e9], 600]]) {
    const { time, server } = start(t);
    server.last().say(hello(), { type: "bye", after });
    time.pass(seconds - 0.01);
    assert.equal(server.sockets.length, 1, JSON.stringify(after));
    time.pass(0.02);
    assert.equal(server.sockets.length, 2, JSON.stringify(after));
  }
});

test("the time of the loss stays the same until the link is live", (t) => {
  const { time, server, link } = start(t);
  server.last().say(hello({ a: {} }, { more: false }));
  const since = link.now();
  server.last().end();
  time.pass(0.6);
  server.last().end();
  time.pass(0.6);
  server.last().say(hello({ a: {} }, { now: link.now() }), updates("7-1", [["a", 1, 1]], { more: true }));
  assert.equal(link.status, "catching-up");
  time.pass(3);
  server.last().end();
  assert.ok(Math.abs(link.lostSince - since) < 1e-6);
});

test("the link follows the reading of the server's clock that came fastest", (t) => {
  const { time, server, link } = start(t);
  server.last().say(hello({}, { now: 8000 }));
  assert.equal(link.now(), 8000);
  time.pass(5);
  server.last().say({ type: "tick", now: 8003 }); // two seconds on its way
  assert.equal(link.now(), 8005);
  time.pass(5);
  server.last().say({ type: "tick", now: 8011 }); // hello was one second late
  assert.equal(link.now(), 8011);
});

test("the link follows a server's clock that was set back", (t) => {
  const { time, server, link } = start(t);
  server.last().say(hello({}, { now: 8000 }));
  for (let i = 1; i <= 6; i++) {
    time.pass(5);
    server.last().say({ type: "tick", now: 4000 + i * 5 });
  }
  assert.equal(link.now(), 4030);
});

test("health, descriptions, proofs and the journal's state are kept", (t) => {
  const { server, link, seen } = start(t);
  server.last().say(hello({ a: {}, b: {} }, { more: false }));
  server.last().say({ type: "health", health: { a: { state: "failed", level: "ok", error: "gone" } } });
  assert.equal(link.streams.get("a").health.error, "gone");
  server.last().say({ type: "streams", streams: { a: { title: "A" }, b: null, c: {} } });
  assert.equal(link.streams.get("a").description.title, "A");
  assert.deepEqual([...link.streams.keys()], ["a", "c"]);
  assert.deepEqual(seen.at(-1), ["change", { names: ["a", "b", "c"] }]);
  server.last().say({ type: "tick", now: 5001, proof: { a: 4998, nobody: 4998 } });
  assert.equal(link.streams.get("a").health.proof, 4998);
  assert.equal(link.streams.has("nobody"), false);
  server.last().say({ type: "journal", state: "away", since: 4990, error: "no answer" });
  assert.deepEqual(link.journal, { state: "away", since: 4990, error: "no answer" });
  server.last().say({ type: "error", code: "bad-message", message: "what?" });
  assert.deepEqual(seen.at(-1), ["error", { code: "bad-message", message: "what?" }]);
});

test("a source that failed before it had a stream is listed", (t) => {
  const { server, link } = start(t);
  server.last().say(hello({}, { health: { shop: { state: "failed", error: "no such file" } }, more: false }));
  assert.equal(link.streams.get("shop").seq, 0);
  assert.equal(link.streams.get("shop").health.error, "no such file");
});

test("a forgotten stream that comes back starts anew", (t) => {
  const { server, link } = start(t);
  server.last().say(hello({ a: {} }), updates("7-1", [["a", 9, 1]]));
  server.last().say({ type: "streams", streams: { a: null } }, { type: "streams", streams: { a: {} } });
  assert.equal(link.streams.get("a").seq, 0);
  server.last().say(updates("7-2", [["a", 1, 2]]));
  assert.equal(link.streams.get("a").missed, 0);
});

test("streams may have the names of members that every object inherits", (t) => {
  const { server, link } = start(t);
  server.last().say(hello({ a: {} }), updates("7-1", [["constructor", 1, 1], ["toString", 1, 2], ["hasOwnProperty", 1, 3]]));
  server.last().say({ type: "streams", streams: { constructor: { title: "C" }, toString: null } });
  assert.deepEqual(values(link), { a: undefined, constructor: 1, hasOwnProperty: 3 });
  assert.equal(link.streams.get("constructor").description.title, "C");
  assert.deepEqual(link.streams.get("hasOwnProperty").health, { proof: 5000 }, "a first value is a proof");
});

test("unknown messages and members are ignored", (t) => {
  const { server, link } = start(t);
  server.last().say(hello({ a: {} }, { colour: "green" }), { type: "weather", wind: 3 }, {}, updates("7-1", [["a", 1, 1]], { x: 1 }));
  assert.equal(link.status, "live");
});

test("a message that cannot be understood breaks the link", (t) => {
  t.mock.method(console, "error", () => {});
  for (const data of ["", "nonsense", "null", '{"type": "updates"}', '{"type": "streams", "streams": null}', '{"type": "health"}']) {
    const { time, server, link } = start(t);
    server.last().say(hello({ a: {} }, { more: false }));
    server.last().onmessage({ data });
    assert.equal(link.status, "lost", data);
    time.pass(1);
    assert.equal(server.sockets.length, 2, data);
  }
});

test("close ends socket and timers, also when a listener calls it", (t) => {
  const { time, server, link, statuses } = start(t);
  link.addEventListener("update", () => link.close());
  server.last().say(hello({ a: {} }), updates("7-1", [["a", 1, 1]]));
  assert.deepEqual(statuses(), ["catching-up", "closed"]);
  assert.ok(server.last().closed);
  assert.equal(time.waiting, 0);
  time.pass(100);
  assert.equal(server.sockets.length, 1);
  assert.equal(link.status, "closed");
});

test("a closed link stays closed when the rest of a message cannot be understood", (t) => {
  t.mock.method(console, "error", () => {});
  const { time, server, link } = start(t);
  link.addEventListener("update", () => link.close());
  server.last().say(hello({ a: {} }), { type: "updates", at: "7-1", updates: [{ stream: "a", seq: 1, at: "7-1" }, null] });
  assert.equal(link.status, "closed");
  assert.equal(time.waiting, 0);
});

test("a hundred thousand updates leave one value", (t) => {
  const { server, link } = start(t);
  server.last().say(hello({ a: {} }, { more: false }));
  const { onmessage } = server.last();
  for (let seq = 1; seq <= 100_000; seq++) {
    onmessage({ data: `{"type":"updates","at":"7-${seq}","updates":[{"stream":"a","seq":${seq},"at":"7-${seq}","time":1,"value":${seq}}]}` });
  }
  assert.equal(link.streams.size, 1);
  assert.equal(link.streams.get("a").value, 100_000);
});

test("the link asks for as many updates as it keeps", (t) => {
  const { server, link } = start(t, { history: 3 });
  assert.equal(server.last().url.searchParams.get("history"), "3");
  server.last().say(hello({ a: {}, b: {} }), updates("7-1", [["a", 1, 10], ["a", 2, 20]]));
  const { history } = link.streams.get("a");
  assert.deepEqual(history, [{ seq: 1, at: "7-1", time: 4999, value: 10 }, { seq: 2, at: "7-1", time: 4999, value: 20 }]);
  assert.deepEqual(link.streams.get("b").history, []);
  for (let seq = 3; seq <= 1000; seq++) server.last().say(updates("7-2", [["a", seq, seq]]));
  assert.deepEqual(history.map(({ seq }) => seq), [998, 999, 1000]);
});

test("history continues after a resumed hello, and starts anew after any other", (t) => {
  const { time, server, link } = start(t, { history: 9 });
  const seqs = () => link.streams.get("a").history.map(({ seq }) => seq);
  server.last().say(hello({ a: {} }), updates("7-1", [["a", 1, 1]]));
  server.last().end();
  time.pass(0.5);
  server.last().say(hello({ a: {} }, { at: "7-1", resumed: true, more: true }), updates("7-2", [["a", 2, 2]]));
  assert.deepEqual(seqs(), [1, 2]);
  server.last().end();
  time.pass(0.5);
  server.last().say(hello({ a: {} }), updates("8-1", [["a", 7, 7]]));
  assert.deepEqual(seqs(), [7]);
});

test("long whole numbers are kept with all their digits, until the next value", (t) => {
  const { server, link, seen } = start(t, { history: 2 });
  server.last().say(hello({ a: {} }));
  const message = JSON.stringify(updates("7-1", [["a", 1, "LONG"]])).replace('"LONG"', "9007199254740993");
  server.last().onmessage?.({ data: message });
  const stream = link.streams.get("a");
  assert.deepEqual([stream.value, stream.exact], [9_007_199_254_740_992, 9_007_199_254_740_993n]);
  assert.equal(stream.history[0].exact, 9_007_199_254_740_993n);
  assert.equal(seen.find(([type]) => type === "update")[1].exact, 9_007_199_254_740_993n);
  server.last().say(updates("7-2", [["a", 2, 5]]));
  assert.deepEqual([stream.value, stream.exact], [5, undefined]);
});

test("what is known from before the updates is kept with them", (t) => {
  const { time, server, link, seen } = start(t, { history: 100 });
  const past = { from: 0, to: 4000, width: 60, points: [[0, 1, 2, 3, 3]], words: [], levels: [], silences: [] };
  server.last().say(hello({ a: {}, b: {} }), updates("7-1", [["a", 9, 42]]));
  server.last().say({ type: "past", stream: "a", ...past }, { type: "past", stream: "gone", ...past });
  assert.deepEqual(link.streams.get("a").past, past);
  assert.equal(link.streams.get("b").past, undefined);
  assert.equal(link.streams.has("gone"), false);
  assert.deepEqual(seen.at(-1), ["change", { names: ["a"] }]);
  server.last().end();
  time.pass(1);
  server.last().say(hello({ a: {} }, { at: "7-1", resumed: true }));
  assert.deepEqual(link.streams.get("a").past, past, "it is not sent again");
  server.last().end();
  time.pass(1);
  server.last().say(hello({ a: {} }));
  assert.equal(link.streams.get("a").past, undefined);
});

test("without the option the link keeps no history", (t) => {
  const { server, link } = start(t);
  server.last().say(hello({ a: {} }), updates("7-1", [["a", 1, 1]]));
  assert.equal(server.last().url.searchParams.has("history"), false);
  assert.equal("history" in link.streams.get("a"), false);
});

test("another selection starts anew without a position", (t) => {
  const { time, server, link, statuses } = start(t, { streams: ["a"] });
  server.last().say(hello({ a: {} }), updates("7-1", [["a", 1, 1]]));
  const [first] = server.sockets;
  link.select(["b", "c.*"]);
  assert.ok(first.closed);
  assert.equal(server.last().url.search, "?streams=b%2Cc.*");
  assert.equal(link.at, null);
  assert.equal(link.status, "catching-up");
  time.pass(0.1);
  assert.equal(Math.round((link.now() - link.lostSince) * 10), 1);
  server.last().say(hello({ b: {} }), updates("7-2", [["b", 4, 4]]));
  assert.deepEqual(values(link), { b: 4 });
  assert.deepEqual(statuses(), ["catching-up", "live", "catching-up", "live"]);
  assert.equal(server.sockets.length, 2);
});

test("a selection made by a listener or between two attempts starts anew too", (t) => {
  const { time, server, link } = start(t, { streams: ["a"] });
  link.addEventListener("update", () => link.select(["b"]), { once: true });
  server.last().say(hello({ a: {} }), updates("7-1", [["a", 1, 1], ["a", 2, 2]]));
  assert.equal(link.at, null);
  assert.notEqual(link.status, "live");
  server.last().end();
  assert.equal(link.status, "lost");
  link.select(["c"]);
  assert.equal(server.sockets.length, 2); // in its own time
  time.pass(0.5);
  assert.equal(server.last().url.search, "?streams=c");
  link.close();
  link.select();
  assert.equal(server.sockets.length, 3);
});

test("the link tells of builds and commands", (t) => {
  const { server, link } = start(t);
  const seen = [];
  for (const type of ["build", "command"]) link.addEventListener(type, ({ detail }) => seen.push([type, detail]));
  const command = { type: "command", command: "message", message: "Fire drill at 3", for: 30 };
  server.last().say(hello(), { type: "build", build: "0123" }, command, { type: "build", build: "0123" });
  assert.deepEqual(seen, [["build", { build: "0123" }], ["command", command]]);
});

test("the link reports what the screen shows while it is connected", (t) => {
  const { server, link } = start(t);
  link.report({ name: "kitchen-tv", wall: "kitchen", delay: 0.2 });
  assert.deepEqual(server.last().said, []);
  server.last().say(hello({ a: {} }), updates("7-1", [["a", 1, 1]]));
  link.report({ name: "kitchen-tv", wall: "kitchen", delay: 0.2 });
  assert.deepEqual(server.last().said, [{ type: "screen", name: "kitchen-tv", wall: "kitchen", at: "7-1", delay: 0.2 }]);
  link.close();
  link.report({ name: "kitchen-tv" });
  assert.equal(server.last().said.length, 1);
});

test("the past of a stream is read beside the WebSocket, with the token in a header", async (t) => {
  const asked = [];
  const fetch = async (url, { headers }) => {
    asked.push([url, headers]);
    return { ok: true, json: async () => ({ points: [[1, 2, 3, 4, 5]] }) };
  };
  const { link } = start(t, { url: "https://wall.example/some/", token: "a-token-of-sixteen", fetch });
  const told = await link.past("shop.orders", { from: 5, to: "-1h", points: 40 });
  assert.deepEqual(told.points, [[1, 2, 3, 4, 5]]);
  await link.past("x/y");
  link.close();
  const pasts = asked.filter(([url]) => url.includes("/streams/"));
  assert.deepEqual(pasts, [
    ["https://wall.example/some/streams/shop.orders?from=5&to=-1h&points=40", { Authorization: "Bearer a-token-of-sixteen" }],
    ["https://wall.example/some/streams/x%2Fy?from=-24h&points=500", { Authorization: "Bearer a-token-of-sixteen" }],
  ]);
});

test("the past is read as browsers allow it: their fetch is no method of another object", async (t) => {
  /** @this {unknown} */
  function fetch() {
    if (this !== undefined) throw new TypeError("Illegal invocation");
    return Promise.resolve({ ok: true, json: async () => ({ points: [] }) });
  }
  const { link } = start(t, { fetch });
  assert.deepEqual(await link.past("a"), { points: [] });
  link.close();
});

test("a past that the server refuses is an error with the server's reason", async (t) => {
  const fetch = async () => ({ ok: false, json: async () => ({ error: { code: "bad-period", message: "from: expected" } }) });
  const { link } = start(t, { fetch });
  await assert.rejects(link.past("a", { from: "x" }), { message: "from: expected" });
  link.close();
});

test("a past in whose place a page or nothing came is an error that says so", async (t) => {
  const page = { json: async () => JSON.parse("<!DOCTYPE html>") };
  const place = "A proxy or a login answers in the server's place, with status";
  for (const [answer, message] of [
    [{ ...page, ok: false, status: 502 }, `${place} 502`],
    [{ ...page, ok: true, status: 200 }, `${place} 200`],
    [{ ok: false, status: 403, json: async () => ({ detail: "denied" }) }, `${place} 403`],
    [null, "The server does not answer"],
  ]) {
    const fetch = async () => answer ?? Promise.reject(new TypeError("Failed to fetch"));
    const { link } = start(t, { fetch });
    await assert.rejects(link.past("a"), { message });
    link.close();
  }
});
