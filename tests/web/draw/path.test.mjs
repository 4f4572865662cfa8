import assert from "node:assert/strict";
import { test } from "node:test";

import { areaPath, betweenPath, beyondPaths, linePath, rangePath } from "../../../web/draw/path.js";
import { point, pointsOf } from "../../../web/draw/points.js";

const frame = { x: (time) => time, y: (value) => 100 - value, until: 50 };
const limit = (value, above = true) => ({ value, above, level: "warn" });

test("a line has steps, and reaches as far as its last value holds", () => {
  assert.equal(linePath(pointsOf([0, 10, 20], [1, 5, 5]), frame), "M0 99H10V95H50");
  assert.equal(linePath([point(60, 1)], frame), "M60 99H60");
});

test("a gap is not bridged, wherever it is", () => {
  assert.equal(linePath(pointsOf([0, 10, 20], [1, NaN, 5]), frame), "M0 99H10M20 95H50");
  assert.equal(linePath(pointsOf([0, 10], [1, NaN]), frame), "M0 99H10");
  assert.equal(linePath(pointsOf([0, 10], [NaN, NaN]), frame), "");
  assert.equal(linePath([], frame), "");
});

test("an area ends at its base on both sides of a gap", () => {
  assert.equal(areaPath(pointsOf([0, 10, 20], [1, NaN, 5]), frame, 100), "M0 100V99H10V100ZM20 100V95H50V100Z");
});

test("only slots of more than one number have a range", () => {
  assert.equal(rangePath([[0, 1, 3, 5, 5], point(10, 5), [20, 2, 3, 4, 3]], frame), "M0 95H10V99H0ZM20 96H50V98H20Z");
});

test("the area between two lines is where both are known", () => {
  const path = betweenPath(pointsOf([0, 30], [1, 2]), pointsOf([10, 20, 40], [5, NaN, 6]), frame);
  assert.equal(path, "M10 95H20L20 99H10ZM40 94H50L50 98H40Z");
});

test("beyond a limit, what goes on is now and the rest is over", () => {
  const points = pointsOf([0, 10, 20, 40], [1, 8, 2, 9]);
  assert.deepEqual(beyondPaths(points, frame, limit(5), true), { now: "M40 95V91H50V95Z", over: "M10 95V92H20V95Z" });
  assert.deepEqual(beyondPaths(points, frame, limit(5), false), { now: "", over: "M10 95V92H20V95ZM40 95V91H50V95Z" });
  assert.deepEqual(beyondPaths(points, frame, limit(1.5, false), true), { now: "", over: "M0 98.5V99H10V98.5Z" });
  assert.deepEqual(beyondPaths(points, frame, limit(10), true), { now: "", over: "" });
});

test("all of a window beyond a limit is now", () => {
  assert.deepEqual(beyondPaths([point(0, 9)], frame, limit(5), true), { now: "M0 95V91H50V95Z", over: "" });
});

test("a brief return across a limit does not end what goes on", () => {
  const points = pointsOf([0, 400, 900, 905, 910], [1, 8, 9, 4, 9]);
  const { now, over } = beyondPaths(points, { ...frame, until: 1000 }, limit(5), true);
  assert.deepEqual([now.match(/M/g).length, over], [2, ""]);
  const long = beyondPaths(pointsOf([0, 400, 900, 950], [1, 8, 4, 9]), { ...frame, until: 1000 }, limit(5), true);
  assert.deepEqual([long.now.match(/M/g).length, long.over.match(/M/g).length], [1, 1]);
});
