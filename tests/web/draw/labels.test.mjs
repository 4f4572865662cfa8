import assert from "node:assert/strict";
import { test } from "node:test";

import { placeLabels } from "../../../web/draw/labels.js";

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
