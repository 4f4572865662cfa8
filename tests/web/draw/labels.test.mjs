import assert from "node:assert/strict";
import { test } from "node:test";

import { keptMarks, placeFlags, placeLabels } from "../../../web/draw/labels.js";

test("labels that do not touch stay where their lines end", () => {
  assert.deepEqual(placeLabels([80, null, 20], 10, 100), [80, null, 20]);
});

test("labels are moved apart, in the order of their lines, and stay in the picture", () => {
  assert.deepEqual(placeLabels([50, 50], 10, 100), [50, 61]);
  assert.deepEqual(placeLabels([2, 1], 10, 100), [16, 5]);
  assert.deepEqual(placeLabels([98, 99], 10, 100), [84, 95]);
  const many = placeLabels(Array(8).fill(70), 10, 100);
  for (let i = 1; i < 8; i++) assert.ok(many[i] - many[i - 1] > 10.9);
  assert.ok(many[0] >= 5 && many[7] <= 95);
});

test("marks of a scale leave room for more important labels", () => {
  assert.deepEqual(keptMarks([0, 30, 60], [50], 10), [true, true, false]);
  assert.deepEqual(keptMarks([0, 30], [], 10), [true, true]);
});

test("the word of a flag is right of it, else left, else nowhere; the newest has the first choice", () => {
  const room = { left: 0, right: 100, gap: 2 };
  const sides = (...flags) => placeFlags(flags.map(([x, width]) => ({ x, width })), room);
  assert.deepEqual(sides([20, 30]), ["right"]);
  assert.deepEqual(sides([90, 30]), ["left"]);
  assert.deepEqual(sides([10, 95]), [null], "it fits on neither side");
  assert.deepEqual(sides([70, 40], [75, 10]), ["left", "right"], "as the words of a deployment and its rollback");
  assert.deepEqual(sides([60, 30], [90, 25]), ["left", "left"]);
  assert.deepEqual(sides([70, 30], [80, 30]), ["left", null], "the word of the newer one would cross the line of the older");
  assert.deepEqual(sides([10, 20], [40, 20], [70, 20]), ["right", "right", "right"]);
  assert.deepEqual(sides(), []);
});
