import assert from "node:assert/strict";
import { test } from "node:test";

import { settled } from "../fakes.mjs";
import { Spans, spansOf } from "../../../web/client/spans.js";

/** A link whose past and whose streams the test sets. */
class FakeLink extends EventTarget {
  streams = new Map();
  time = 1000;
  at = "1-1";
  asked = [];
  answer = () => Promise.reject(new Error("away"));

  now() {
    return this.time;
  }

  past(name, period) {
    this.asked.push([name, period.from]);
    return this.answer(name);
  }

  /** The stream is so now. */
  set(changes, health = {}, updates = []) {
    const former = this.streams.get("a") ?? { name: "a", description: {}, seq: 0, health: { state: "fresh", level: "ok" } };
    this.streams.set("a", { ...former, ...changes, health: { ...former.health, ...health } });
    this.dispatchEvent(new CustomEvent("change", { detail: { names: ["a"], updates } }));
  }

  update(seq, time, health = {}) {
    this.set({ seq, time }, { proof: time, ...health }, [{ stream: "a", seq, time, value: "x" }]);
  }

  get a() {
    return this.streams.get("a");
  }
}

test("levels are spans, and silences are holes in them", () => {
  const answer = { from: 0, to: 100, levels: [[10, 50, "ok"], [50, 100, "critical"]], silences: [[40, 60], [90, null]] };
  assert.deepEqual(spansOf(answer), [[10, 40, "ok"], [40, 60, "unknown"], [60, 90, "critical"], [90, 100, "unknown"]]);
});

test("a stream without limits was all right while it was known", () => {
  assert.deepEqual(spansOf({ from: 0, to: 100, words: [[20, 60, "a"], [60, 100, "b"]] }), [[20, 100, "ok"]]);
  assert.deepEqual(spansOf({ from: 0, to: 100, points: [[30, 1, 1, 1, 1]] }), [[30, 100, "ok"]]);
  assert.deepEqual(spansOf({ from: 0, to: 100 }), []);
});

test("the past is read once, and followed from then on", async () => {
  const link = new FakeLink();
  const spans = new Spans(link);
  link.answer = () => Promise.resolve({ from: 0, to: 1000, levels: [[500, 1000, "ok"]] });
  link.set({ seq: 3, time: 500 }, { proof: 990 });
  spans.newest(link.a, 1000);
  await settled();
  link.time = 1010;
  link.update(4, 1005, { level: "critical" });
  link.update(5, 1008, { level: "ok" });
  assert.deepEqual(spans.newest(link.a, 1000), [[500, 1005, "ok"], [1005, 1008, "critical"], [1008, Infinity, "ok"]]);
  assert.equal(link.asked.length, 1);
});

test("a silence begins with the last proof, and ends with the next one", () => {
  const link = new FakeLink();
  const spans = new Spans(link);
  link.set({ seq: 1, time: 900 }, { proof: 950 });
  spans.newest(link.a, 1000);
  link.set({}, { state: "late" });
  link.set({}, { state: "fresh", proof: 980 });
  assert.deepEqual(spans.newest(link.a, 1000), [[900, 950, "ok"], [950, 980, "unknown"], [980, Infinity, "ok"]]);
});

test("after missed updates the past is read again, but not at every one", async () => {
  const link = new FakeLink();
  const spans = new Spans(link);
  link.answer = () => Promise.resolve({ from: 0, to: link.time, levels: [[500, link.time, "ok"]] });
  link.set({ seq: 1, time: 900 }, { proof: 900 });
  spans.newest(link.a, 1000);
  await settled();
  for (const seq of [5, 9, 14]) {
    link.update(seq, link.time);
    spans.newest(link.a, 1000);
  }
  await settled();
  assert.equal(link.asked.length, 1);
  link.time += 61;
  spans.newest(link.a, 1000);
  await settled();
  assert.equal(link.asked.length, 2);
});

test("while a backfill fills the past, or may just begin, it is read again", async () => {
  const link = new FakeLink();
  const spans = new Spans(link);
  const backfill = { reached: 0, until: 900, error: null };
  link.set({ seq: 1, time: 900 }, { proof: 900 });
  for (const [from, filling, asked] of [[900, {}, 1], [900, { backfill }, 2], [0, {}, 3], [0, {}, 3]]) {
    link.answer = () => Promise.resolve({ from: 0, to: link.time, levels: [[from, link.time, "ok"]], ...filling });
    spans.newest(link.a, 1000);
    await settled();
    assert.equal(link.asked.length, asked);
    link.time += 61;
  }
  assert.deepEqual(spans.newest(link.a, 1000), [[0, Infinity, "ok"]]);
});

test("a stream that begins anew has no past", () => {
  const link = new FakeLink();
  const spans = new Spans(link);
  link.set({ seq: 1, time: 900 }, { proof: 900, level: "critical" });
  spans.newest(link.a, 1000);
  link.set({ seq: 0, time: undefined });
  link.set({ seq: 1, time: 990 }, { level: "ok" });
  assert.deepEqual(spans.newest(link.a, 1000), [[990, Infinity, "ok"]]);
});

test("memory is bounded", () => {
  const link = new FakeLink();
  const spans = new Spans(link);
  link.set({ seq: 1, time: 0 }, { proof: 0 });
  spans.newest(link.a, 1e9);
  for (let i = 2; i < 5000; i++) link.update(i, i, { level: i % 2 ? "ok" : "warn" });
  assert.equal(spans.newest(link.a, 1e9).length, 1000);
});

test("a past that was read before the server's hello stays", async () => {
  const link = new FakeLink();
  link.at = null;
  const spans = new Spans(link);
  link.answer = () => Promise.resolve({ from: 0, to: 1000, levels: [[500, 1000, "critical"]] });
  const former = { name: "a", description: {}, seq: 3, time: 500, health: { state: "fresh", level: "critical", proof: 990 } };
  spans.newest(former, 1000);
  await settled();
  link.at = "1-1";
  link.set({ seq: 3, time: 500 }, { proof: 990, level: "critical" });
  assert.deepEqual(spans.newest(link.a, 1000), [[500, Infinity, "critical"]]);
});

test("it tells when a stream became what it is, if that is known", async () => {
  const link = new FakeLink();
  const spans = new Spans(link);
  link.answer = () => Promise.resolve({ from: 0, to: 1000, levels: [[0, 500, "ok"], [500, 1000, "warn"]] });
  link.set({ seq: 1, time: 990 }, { proof: 990, level: "warn" });
  assert.equal(spans.began(link.a, "warn"), undefined);
  spans.newest(link.a, 1000);
  await settled();
  assert.equal(spans.began(link.a, "warn"), 500);
  assert.equal(spans.began(link.a, "critical"), undefined);
});
