import assert from "node:assert/strict";
import { test } from "node:test";

import { formerValue, isEmpty, moved } from "../../../web/draw/compare.js";
import { point } from "../../../web/draw/points.js";

const HOUR = 3600;
const gap = (hour) => point(hour * HOUR, NaN);
const at = (hour, value) => point(hour * HOUR, value);
const part = (from, to, hours) => ({ from: from * HOUR, to: to * HOUR, shift: hours * HOUR });
const ghostOf = (past, parts, from, to) => moved(past, parts, from * HOUR, to * HOUR);

test("the past stands at the times that it is compared with", () => {
  const ghost = ghostOf([at(0, 1), at(2, 2), gap(3), at(4, 4)], [part(24, 30, 24)], 25, 29);
  assert.deepEqual(ghost, [at(25, 1), at(26, 2), gap(27), at(28, 4)]);
  assert.deepEqual([26.5, 27.5, 28.5].map((hour) => formerValue(ghost, hour * HOUR)), [2, null, 4]);
});

test("where the past begins later, or nothing is comparable, there is a hole", () => {
  const past = [at(2, 2), at(3, 3)];
  assert.deepEqual(ghostOf(past, [part(24, 27, 24)], 24, 27), [gap(24), at(26, 2), at(27, 3)]);
  assert.deepEqual(ghostOf(past, [part(26.5, 27, 24)], 26, 28), [gap(26), at(26.5, 2), at(27, 3), gap(27)]);
});

test("a change of clocks moves a part of the past by another hour", () => {
  const past = [at(0, 0), at(1, 1), at(2, 2), at(3, 3)];
  const parts = [part(24, 26, 24), part(26, 28, 25)]; // the hour from 1 to 2 comes twice today
  assert.deepEqual(ghostOf(past, parts, 24, 27.5), [at(24, 0), at(25, 1), at(26, 2), at(26, 1), at(27, 2)]);
});

test("without a past there is nothing", () => {
  for (const ghost of [ghostOf([], [part(0, 1, 24)], 0, 1), ghostOf([at(0, 1)], [], 0, 1)]) {
    assert.equal(isEmpty(ghost), true);
    assert.equal(formerValue(ghost, HOUR / 2), null);
  }
  assert.equal(isEmpty([at(0, 1)]), false);
});
