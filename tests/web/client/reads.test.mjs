import assert from "node:assert/strict";
import { test } from "node:test";

import { Reads } from "../../../web/client/reads.js";

const turn = () => new Promise((resolve) => setTimeout(resolve));

/** Reads that last until the test ends them. */
function held(reads, begun) {
  return (name) => new Promise((added) => {
    reads.add((signal) => new Promise((resolve, reject) => {
      begun.push(name);
      added({ signal, resolve, reject });
    }));
  });
}

test("one read at a time, in order, also after a failure", async () => {
  const [reads, begun] = [new Reads(), []];
  const add = held(reads, begun);
  const [first, second] = [add("a"), add("b")];
  add("c");
  await turn();
  assert.deepEqual(begun, ["a"]);
  (await first).reject(new Error("no answer"));
  await turn();
  assert.deepEqual(begun, ["a", "b"]);
  (await second).resolve();
  await turn();
  assert.deepEqual(begun, ["a", "b", "c"]);
});

test("a read that hangs is ended, and the next one begins", async () => {
  const [reads, begun] = [new Reads(1), []];
  const add = held(reads, begun);
  const { signal } = await add("a");
  await add("b");
  assert.ok(signal.aborted);
  assert.deepEqual(begun, ["a", "b"]);
});

test("what has not begun can be forgotten", async () => {
  const [reads, begun] = [new Reads(), []];
  const add = held(reads, begun);
  const { resolve } = await add("a");
  add("b");
  reads.clear();
  resolve();
  await turn();
  assert.deepEqual(begun, ["a"]);
});
