/** The past of long windows: read once, then followed. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Past } from "../../../web/client/past.js";
import { isGap, point } from "../../../web/draw/points.js";

const NOW = 1_763_790_000; // a multiple of 60
const HOUR = 3600;

/** A link whose server answers each request with what `answers` makes of it. */
class Link extends EventTarget {
  streams = new Map();
  time = NOW;
  now = () => this.time;
  /** @type {any[]} */
  asked = [];
  answer = ({ from, to = this.time }) => ({ seq: this.streams.get("a")?.seq, points: [[from - (from % 60), 1, 2, 3, 2]], width: 60, from, to });

  async past(name, period) {
    const { signal: _, ...asked } = period;
    this.asked.push({ name, ...asked });
    await null;
    const answer = this.answer(period);
    if (answer instanceof Error) throw answer;
    return answer;
  }

  put(seq, value, { name = "a", state = "fresh", time = this.time } = {}) {
    const stream = { name, description: {}, health: { state, proof: time }, seq, time, value };
    this.streams.set(name, stream);
    this.#say("change", { names: [name], updates: seq ? [{ stream: name, seq, time, value }] : [] });
    return stream;
  }

  #say(type, detail) {
    this.dispatchEvent(Object.assign(new Event(type), { detail }));
  }
}

const answered = () => new Promise((resolve) => setTimeout(resolve));
/** A link with a stream that has a value, and its past. */
function start() {
  const link = new Link();
  const past = new Past(/** @type {any} */ (link));
  link.put(5, 50);
  const newest = (seconds = HOUR) => past.newest(link.streams.get("a"), seconds).points;
  return { link, past, newest };
}

test("a window is read once, and then followed", async () => {
  const { link, newest } = start();
  assert.deepEqual(newest(), [point(NOW, 50)]);
  await answered();
  link.time += 10;
  link.put(6, 60);
  const points = newest();
  assert.deepEqual(points.slice(-1), [point(NOW + 10, 60)]);
  assert.deepEqual(points[0].slice(1), [1, 2, 3, 2]);
  for (let i = 0; i < 100; i++) newest();
  await answered();
  assert.deepEqual(link.asked, [{ name: "a", from: NOW - HOUR, points: 500 }]);
});

test("updates that the answer does not count are added to it, each once", async () => {
  const { link, newest } = start();
  const slot = NOW - 60;
  link.answer = () => ({ seq: 6, points: [[slot, 1, 2, 60, 60]], width: 60, from: slot, to: NOW + 1, silences: [] });
  newest();
  link.put(6, 60, { time: NOW + 0.1 }); // the server knows it already
  link.put(7, 70, { time: NOW + 0.5 }); // and this comes before its answer, which ends with the second
  await answered();
  assert.deepEqual(newest(), [[slot, 1, 2, 60, 60], point(NOW, 60), point(NOW + 0.5, 70)]);
  link.time = NOW + 2;
  link.put(8, 80);
  assert.deepEqual(newest().slice(2), [point(NOW + 0.5, 70), point(NOW + 2, 80)]);
});

test("an update in the second in which the answer ends is the newest number", async () => {
  const { link, newest } = start();
  link.answer = () => ({ seq: 5, points: [[NOW, 50, 50, 50, 50]], width: 60, from: NOW, to: NOW + 1 });
  link.time = NOW + 0.2;
  newest();
  await answered();
  link.put(6, 60, { time: NOW + 0.5 });
  assert.deepEqual(newest().at(-1), point(NOW + 0.5, 60));
});

test("an answer may count more than the link has told", async () => {
  const { link, newest } = start();
  link.answer = () => ({ seq: 7, points: [[NOW, 1, 2, 70, 70]], width: 60, from: NOW, to: NOW + 1, silences: [] });
  link.time = NOW + 1;
  newest();
  await answered();
  link.put(6, 60, { time: NOW + 0.1 });
  link.put(7, 70, { time: NOW + 0.2 });
  assert.deepEqual(newest(), [[NOW, 1, 2, 70, 70], point(NOW + 1, 70)]);
  link.put(8, 80);
  assert.deepEqual(newest().at(-1), point(NOW + 1, 80));
});

test("each window of a stream is read for itself", async () => {
  const { link, newest } = start();
  newest(HOUR);
  newest(8 * HOUR);
  newest(HOUR);
  await answered();
  assert.deepEqual(link.asked.map(({ from }) => NOW - from), [HOUR, 8 * HOUR]);
});

test("missed updates are read, but a window at most once a minute", async () => {
  const { link, newest } = start();
  newest();
  await answered();
  for (let i = 1; i < 20; i++) {
    link.time += 5;
    link.put(5 + 2 * i, i); // every second one is missed
    newest();
    await answered();
  }
  assert.equal(link.asked.length, 2);
});

test("everything is read again after ten minutes: a backfill may have changed it", async () => {
  const { link, past, newest } = start();
  const [from, to] = [NOW - 170 * HOUR, NOW - 162 * HOUR];
  const both = async () => (newest(), past.period("a", from, to), await answered());
  await both();
  link.time += 500;
  await both();
  assert.equal(link.asked.length, 2);
  link.time += 101;
  await both();
  await both();
  assert.equal(link.asked.length, 4);
  link.put(6, 60);
  assert.deepEqual(newest().slice(-1), [point(link.time, 60)]);
});

test("while a backfill fills the past, it is read again each minute", async () => {
  const { link, past, newest } = start();
  const answer = link.answer;
  let backfill = { reached: NOW - HOUR, until: NOW, error: null };
  link.answer = (period) => ({ ...answer(period), backfill });
  const later = async (seconds) => {
    link.time += seconds;
    newest();
    past.period("a", NOW - 170 * HOUR, NOW - 162 * HOUR);
    await answered();
    await answered();
    return link.asked.length;
  };
  assert.equal(await later(0), 2);
  assert.equal(await later(61), 4);
  backfill = { ...backfill, error: "no such table" }; // nobody knows when it continues
  assert.equal(await later(61), 6);
  assert.equal(await later(61), 6);
  assert.equal(await later(600), 8);
});

test("a window whose begin is not known is read once more after a minute: a backfill may just begin", async () => {
  const { link, newest } = start();
  link.answer = ({ from, to = link.time }) => ({ seq: 5, points: [[NOW - 60, 50, 50, 50, 50]], width: 60, from, to });
  for (const asked of [1, 2, 2, 2]) {
    newest();
    await answered();
    assert.equal(link.asked.length, asked);
    link.time += 61;
  }
});

test("without an answer the window is asked for again, not before a minute", async () => {
  const { link, newest } = start();
  link.answer = () => new Error("the server is busy");
  newest();
  await answered();
  newest();
  await answered();
  link.time += 61;
  newest();
  await answered();
  assert.equal(link.asked.length, 2);
  assert.deepEqual(newest(), [point(NOW, 50)], "what was heard is shown");
});

test("reads run one after the other", async () => {
  const link = new Link();
  const past = new Past(/** @type {any} */ (link));
  let running = 0;
  let most = 0;
  link.past = async () => {
    most = Math.max(most, ++running);
    await answered();
    running--;
    return { points: [], width: 60, to: NOW };
  };
  for (const name of ["a", "b", "c"]) past.newest(link.put(1, 1, { name }), HOUR);
  for (let i = 0; i < 10; i++) await answered();
  assert.equal(most, 1);
});

test("many updates become slots of the server's width: memory is bounded", async () => {
  const { link, newest } = start();
  newest();
  await answered();
  for (let i = 0; i < 20_000; i++) {
    link.time += 1;
    link.put(6 + i, i % 7);
  }
  const points = newest();
  assert.ok(points.length < 700, `${points.length}`);
  const [time, low, middle, high] = points[10];
  assert.deepEqual([time % 60, low, high], [0, 0, 6]);
  assert.ok(Math.abs(middle - 3) < 0.2);
  assert.ok(points[0][0] >= link.time - HOUR && points.every(([time], i) => !i || time > points[i - 1][0]));
});

test("a stream that is not fresh has a gap from its last proof on, and none when it is fresh again", async () => {
  const { link, newest } = start();
  newest();
  await answered();
  link.put(6, 60, { time: NOW + 10 });
  link.streams.get("a").health = { state: "late", proof: NOW + 20 };
  link.dispatchEvent(Object.assign(new Event("change"), { detail: { names: ["a"] } }));
  assert.ok(isGap(newest().at(-1)));
  assert.equal(newest().at(-1)[0], NOW + 20);
  link.streams.get("a").health = { state: "fresh", proof: NOW + 30 };
  link.dispatchEvent(Object.assign(new Event("change"), { detail: { names: ["a"] } }));
  assert.deepEqual(newest().slice(-2).map(([time, low]) => [time - NOW, low]), [[20, NaN], [30, 60]]);
});

test("a stream that begins anew has no past, and one that is not shown is forgotten", async () => {
  const { link, past, newest } = start();
  newest();
  await answered();
  link.put(0, undefined);
  assert.deepEqual(newest(), []);
  link.put(1, 10);
  newest();
  past.retain(new Map());
  assert.deepEqual(newest(), [point(NOW, 10)]);
});

test("a period of the past is read with what will be asked for soon", async () => {
  const { link, past } = start();
  const [from, to] = [NOW - 170 * HOUR, NOW - 162 * HOUR];
  assert.deepEqual(past.period("a", from, to), []);
  await answered();
  for (let later = 0; later < 600; later += 60) {
    link.time = NOW + later;
    assert.equal(past.period("a", from + later, to + later).length > 0, true);
  }
  await answered();
  assert.deepEqual(link.asked, [{ name: "a", from, to: to + HOUR, points: 500 }]);
  link.time = NOW + HOUR + 60;
  assert.ok(past.period("a", from + HOUR + 60, to + HOUR + 60).length > 0, "the former one is shown meanwhile");
  assert.equal(link.asked.length, 2);
});

test("an empty past is asked for again after a minute, and never for the future", async () => {
  const { link, past } = start();
  link.answer = ({ to }) => ({ points: [], width: 60, to });
  const ask = () => past.period("a", NOW - 9 * HOUR, NOW - HOUR);
  ask();
  await answered();
  ask();
  link.time += 61;
  ask();
  await answered();
  assert.equal(link.asked.length, 2);
  past.period("a", NOW - 100 * HOUR, NOW - 60);
  await answered();
  assert.ok(link.asked.at(-1).to <= link.time);
});

test("after close nothing is followed or read", async () => {
  const { link, past, newest } = start();
  newest();
  past.close();
  await answered();
  link.put(6, 60);
  assert.ok(link.asked.length <= 1);
});
