import assert from "node:assert/strict";
import { test } from "node:test";

import { traceSteps } from "../../../web/draw/line.js";

/** What the pen was told, as "M x,y" and "L x,y"; the value is its height. */
function traced(points, until) {
  const path = [];
  const pen = { moveTo: (x, y) => path.push(`M ${x},${y}`), lineTo: (x, y) => path.push(`L ${x},${y}`) };
  const [times, values] = [0, 1].map((i) => Float64Array.from(points, (point) => point[i]));
  const end = traceSteps(pen, { times, values, until }, (time) => time, (value) => value);
  return { path: path.join(" "), end };
}

test("a value holds until the next one, and the last as long as it is known", () => {
  assert.deepEqual(traced([[0, 5], [10, 7]], 15), { path: "M 0,5 L 10,5 L 10,7 L 15,7", end: { x: 15, y: 7 } });
  assert.deepEqual(traced([[0, 5]], 0), { path: "M 0,5 L 0,5", end: { x: 0, y: 5 } });
});

test("a line never ends before its last point", () => {
  assert.deepEqual(traced([[0, 5], [10, 7]], 3).end, { x: 10, y: 7 });
});

test("a gap is never bridged", () => {
  assert.equal(traced([[0, 5], [10, NaN], [20, 7]], 30).path, "M 0,5 L 10,5 M 20,7 L 30,7");
  assert.deepEqual(traced([[0, NaN], [5, NaN], [10, 1]], 12), { path: "M 10,1 L 12,1", end: { x: 12, y: 1 } });
});

test("a line that ends in a gap, or has no points, has no end", () => {
  assert.deepEqual(traced([[0, 5], [10, NaN]], 30), { path: "M 0,5 L 10,5", end: null });
  assert.deepEqual(traced([], 30), { path: "", end: null });
});
