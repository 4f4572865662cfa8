import assert from "node:assert/strict";
import { test } from "node:test";

import { measure } from "../../../web/draw/progress.js";

test("a number is a share of its goal, and is ahead or behind of the time for it", () => {
  assert.deepEqual(measure(40, 100, { from: 0, by: 100 }, 50), { share: 0.4, filled: 0.4, tick: 0.5, goal: null, ahead: -10 });
  assert.equal(measure(60, 100, { from: 0, by: 100 }, 50).ahead, 10);
  assert.equal(measure(60, 100, { from: 0, by: 100 }, 500).tick, 1);
  assert.equal(measure(60, 100, { from: 0, by: 100 }, -5).tick, 0);
});

test("without a begin or an end nobody knows where it should be", () => {
  for (const span of [null, { from: null, by: 100 }, { from: 100, by: 100 }]) {
    const { tick, ahead } = measure(40, 100, span, 50);
    assert.deepEqual([tick, ahead], [null, null]);
  }
});

test("beyond its goal the bar goes on, and the goal is a gap in it", () => {
  const { share, filled, goal, tick } = measure(150, 100, { from: 0, by: 100 }, 100);
  assert.deepEqual([share, filled, goal, tick], [1.5, 1, 1 / 1.5, 1 / 1.5]);
});

test("a goal below zero is reached from above, and a wrong sign is nothing", () => {
  assert.equal(measure(-30, -60, null, 0).filled, 0.5);
  assert.equal(measure(-30, 60, null, 0).filled, 0);
});
