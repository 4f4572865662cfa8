import assert from "node:assert/strict";
import { test } from "node:test";

import { timeScale, valueRange, valueScale } from "../../../web/draw/scale.js";

const line = (...values) => ({ values: Float64Array.from(values) });

test("the range holds all values, and the limits that are near", () => {
  const limits = [{ value: 25 }, { value: -19 }, { value: 41 }, { value: -21 }];
  assert.deepEqual(valueRange([line(0, NaN, 20), line(10)], limits), { low: 0, high: 20, bottom: -19, top: 25 });
  assert.deepEqual(valueRange([line(0, 20)]), { low: 0, high: 20, bottom: 0, top: 20 });
});

test("without values the range is empty", () => {
  for (const lines of [[], [line()], [line(NaN)]]) assert.ok(!(valueRange(lines, [{ value: 5 }]).low < Infinity));
});

test("times run from the left edge to the right, and older ones stay at the left", () => {
  const x = timeScale(100, 200, 50);
  assert.deepEqual([90, 100, 150, 200].map(x), [0, 0, 25, 50]);
});

test("values run upwards between the margins, and a single value is in the middle", () => {
  const y = valueScale({ bottom: -10, top: 10 }, 100, 5);
  assert.deepEqual([-10, 0, 10].map(y), [95, 50, 5]);
  assert.equal(valueScale({ bottom: 3, top: 3 }, 100, 5)(3), 50);
});
