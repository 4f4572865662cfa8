/** The history of the wall's streams: each update once, with a gap where nothing was known. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "../../../web/client/history.js";

const NOW = 1_763_790_000;

class Link extends EventTarget {
  streams = new Map();
  now = () => NOW;

  put(seq, value, state = "fresh") {
    const update = { stream: "a", seq, time: NOW - 100 + seq, value };
    this.streams.set("a", { name: "a", description: { keep: 100 }, health: { state, proof: update.time }, ...update });
    this.#say("change", { names: ["a"], updates: seq ? [update] : [] });
  }

  #say(type, detail) {
    this.dispatchEvent(Object.assign(new Event(type), { detail }));
  }
}

/** A server that answers when `release` is called. */
function served(answer) {
  let release = () => {};
  const get = () => new Promise((resolve) => (release = () => resolve({ ok: true, text: async () => JSON.stringify(answer) })));
  return { get, release: async () => (release(), await new Promise((resolve) => setTimeout(resolve))) };
}

const update = (seq, value) => ({ seq, time: NOW - 100 + seq, value });
const values = (history, link) => [...history.series(link.streams.get("a")).points(NOW).values];

test("updates that were read and updates that came meanwhile are each kept once", async () => {
  const [link, server] = [new Link(), served({ history: [1, 2, 3, 4, 5].map((seq) => update(seq, seq * 10)) })];
  const history = new History(link, server.get);
  link.put(3, 30);
  assert.deepEqual(values(history, link), [30]);
  await server.release(); // it knows more than the link has said
  for (const seq of [4, 5, 6]) link.put(seq, seq * 10);
  assert.deepEqual(values(history, link), [10, 20, 30, 40, 50, 60]);
  assert.deepEqual(history.latest(link.streams.get("a")).map(({ seq }) => seq), [6, 5, 4, 3, 2, 1]);
});

test("a silence from before the page was opened is a gap", async () => {
  const server = served({ history: [update(1, 10), update(2, 20), update(8, 30)], silences: [[NOW - 97, NOW - 95], [NOW - 91, null]] });
  const link = new Link();
  const history = new History(link, server.get);
  link.put(8, 30, "failed");
  values(history, link);
  await server.release();
  assert.deepEqual(values(history, link), [10, 20, NaN, 20, 30, NaN]);
  const { times } = history.series(link.streams.get("a")).points(NOW);
  assert.deepEqual([...times].map((time) => time - NOW), [-99, -98, -97, -95, -92, -91]);
});

test("a stream that starts anew has no past", () => {
  const link = new Link();
  const history = new History(link, () => new Promise(() => {}));
  link.put(90, 900);
  assert.deepEqual(values(history, link), [900]);
  link.put(0);
  link.put(1, 10);
  assert.deepEqual(values(history, link), [10]);
});
