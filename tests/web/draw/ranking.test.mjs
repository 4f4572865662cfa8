import assert from "node:assert/strict";
import { test } from "node:test";

import { barScale, reachesOver, readRanked } from "../../../web/draw/ranking.js";

test("pairs, members and objects are named numbers", () => {
  const found = [{ name: "a", value: 1 }, { name: "b", value: null }];
  assert.deepEqual(readRanked([["a", 1], ["b", null]]), found);
  assert.deepEqual(readRanked({ a: 1, b: null }), found);
  assert.deepEqual(readRanked([{ product: "a", count: 1 }, { product: "b", count: null }]), found);
  assert.deepEqual(readRanked([]), []);
});

test("anything else is none", () => {
  for (const value of [1, "a", true, null, [1, 2], [["a", "b"]], { a: "b" }, [[{}, 1]], [[]]]) assert.equal(readRanked(value), null, JSON.stringify(value));
});

test("a member that every object inherits is no name", () => {
  assert.deepEqual(readRanked(JSON.parse('{"constructor": 1, "__proto__": 2}')), [{ name: "constructor", value: 1 }, { name: "__proto__", value: 2 }]);
});

test("bars begin at zero, which lies between numbers of both signs", () => {
  assert.deepEqual([barScale([5, 10]).zero, barScale([5, 10]).at(5)], [0, 0.5]);
  assert.deepEqual([barScale([-10, 30]).zero, barScale([-10, 30]).at(-10), barScale([-10, 30]).at(30)], [0.25, 0, 1]);
  assert.equal(barScale([0, null]).at(0), 0);
  const { zero, at } = barScale([-1.7e308, 1.7e308]);
  assert.deepEqual([zero, at(1.7e308)], [0.5, 1]);
});

test("a member of objects is what the number was before", () => {
  const rows = [{ week_ago: 3, product: "a", count: 1 }, { product: "b", count: 2, week_ago: null }, { product: "c", count: 4 }];
  assert.deepEqual(readRanked(rows, "week_ago"), [{ name: "a", value: 1, former: 3 }, { name: "b", value: 2, former: null }, { name: "c", value: 4 }]);
  assert.equal(readRanked([["a", 1]], "constructor")?.[0].former, undefined);
});

test("a name that is longer than its bar reaches over the end of it", () => {
  assert.deepEqual([[10, 30], [10, 11], [10, 0]].map(([name, bar]) => reachesOver(name, bar)), [false, true, true]);
});
