/** The points of a line: merged, in slots, with gaps. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  coarsened, coarsenedUpToNow, isGap, newDays, point, pointAt, pointsOf, pointsOfPeriod, today, within, withDays,
} from "../../../web/draw/points.js";

const gap = (time) => point(time, NaN);

test("updates become points that hold, and no number is a gap", () => {
  assert.deepEqual(pointsOf([1, 2, 3], [10, NaN, 30]), [[1, 10, 10, 10, 10], gap(2), [3, 30, 30, 30, 30]]);
  assert.equal(isGap(gap(2)), true);
  assert.equal(isGap(point(2, 0)), false);
});

test("a period of slots ends with what holds, and has a gap where slots are missing", () => {
  const slots = [[0, 1, 2, 3, 3], [10, 3, 3, 3, 3], [40, 5, 6, 7, 6]];
  assert.deepEqual(pointsOfPeriod({ points: slots, width: 10, to: 46 }), [slots[0], slots[1], gap(20), slots[2], point(46, 6)]);
  assert.deepEqual(pointsOfPeriod({ points: [], width: 10, to: 46 }), []);
});

test("a silence is a gap, and what held before it holds after it", () => {
  const period = { points: [[0, 1, 1, 1, 1], [10, 2, 2, 2, 2]], width: 10, to: 20 };
  assert.deepEqual(pointsOfPeriod({ ...period, silences: [[3, 6]] }), [point(0, 1), gap(3), point(6, 1), point(10, 2), point(20, 2)]);
  assert.deepEqual(pointsOfPeriod({ ...period, silences: [[12, null]] }), [point(0, 1), point(10, 2), gap(12)]);
  assert.deepEqual(pointsOfPeriod({ ...period, silences: [[8, 10]] }), [point(0, 1), gap(8), point(10, 2), point(20, 2)]);
  assert.deepEqual(pointsOfPeriod({ ...period, silences: [[-5, 4]] }), [point(10, 2), point(20, 2)]);
});

test("a window begins with the point that holds at its begin", () => {
  const points = pointsOf([0, 10, 20, 30], [1, 2, 3, 4]);
  assert.deepEqual(within(points, 12, 25), [point(12, 2), point(20, 3)]);
  assert.deepEqual(within(points, -5, 5), [point(0, 1)]);
  assert.deepEqual(within(points, 40, 50), [point(40, 4)]);
  assert.deepEqual(within([], 0, 1), []);
  assert.deepEqual(points[1], point(10, 2), "the points themselves do not change");
});

test("a slot of more than one update has their range, and a mean weighted by time", () => {
  const points = pointsOf([0, 1, 5, 15], [10, 20, 0, 8]);
  assert.deepEqual(coarsened(points, 10, 20), [[0, 0, 9, 20, 0], [10, 0, 4, 8, 8]]);
});

test("the newest number is apart from its slot", () => {
  assert.deepEqual(coarsenedUpToNow(pointsOf([0, 2, 4, 6], [10, 20, 20, 90]), 10, 8), [[0, 10, 50 / 3, 20, 20], point(6, 90)]);
  assert.deepEqual(coarsenedUpToNow(pointsOf([0, 5], [10, 10]), 10, 8), [point(0, 10)]);
  assert.deepEqual(coarsenedUpToNow([point(0, 10), point(3, 20), gap(6)], 10, 8), [[0, 10, 15, 20, 20], gap(6)]);
  assert.deepEqual(coarsenedUpToNow([[0, 1, 2, 3, 3]], 10, 8), [[0, 1, 2, 3, 3]]);
  assert.deepEqual(coarsenedUpToNow([], 10, 8), []);
});

test("a number that holds for long is one point", () => {
  const points = pointsOf([0, 3, 95], [10, 20, 30]);
  assert.deepEqual(coarsened(points, 10, 100), [[0, 10, 17, 20, 20], point(10, 20), [90, 20, 25, 30, 30]]);
  assert.deepEqual(coarsened([point(0, 5)], 1, 1e9), [point(0, 5)]);
});

test("coarser slots of slots weigh them by time, and the same slots stay the same", () => {
  const slots = [[0, 1, 2, 3, 3], [10, 3, 4, 5, 4], [20, 4, 6, 9, 8]];
  assert.deepEqual(coarsened(slots, 10, 30), slots);
  assert.deepEqual(coarsened(slots, 20, 30), [[0, 1, 3, 5, 4], [20, 4, 6, 9, 8]]);
});

test("a gap stays a gap at its own time, however wide the slots", () => {
  const points = [point(0, 1), gap(4), point(6, 3), gap(12), gap(13)];
  assert.deepEqual(coarsened(points, 100, 20), [point(0, 1), gap(4), point(6, 3), gap(12)]);
});

test("slots of any width come to an end", () => {
  for (const width of [57.6, 0.1, 0.05, 1 / 3, 86.4, 1e-3]) {
    const begin = 1_795_000_000.123;
    const points = Array.from({ length: 50 }, (_, i) => point(begin + i * width * 3.7, i % 5));
    const coarse = coarsened(points, width, begin + 50 * width * 3.7);
    assert.ok(coarse.length >= 50 && coarse.length < 300, `${width}: ${coarse.length}`);
    assert.ok(coarse.every(([time], i) => !i || time > coarse[i - 1][0]));
  }
});

test("equal numbers stay exact, and huge ones do not overflow", () => {
  assert.deepEqual(coarsened(pointsOf([0, 3, 7], [0.1, 0.1, 0.1]), 10, 10), [point(0, 0.1)]);
  assert.ok(coarsened(pointsOf([0, 5], [1e308, 1.7e308]), 10, 10)[0].every(Number.isFinite));
});

test("a count of today that falls to a tenth begins a new day: a gap", () => {
  const points = pointsOf([0, 1, 2, 3, 4, 5], [100, 150, 150, 220, 0, 12]);
  assert.deepEqual(newDays(points), [4]);
  assert.deepEqual(withDays(points), [...points.slice(0, 4), gap(4), ...points.slice(4)]);
  assert.deepEqual(today(points), points.slice(4));
});

test("a slot in which a day ends is the gap", () => {
  const points = [point(0, 50), point(5, 100), point(10, 150), point(20, 200), [30, 0, 90, 220, 3], [40, 3, 5, 9, 9]];
  assert.deepEqual(withDays(points), [...points.slice(0, 4), gap(30), points[5]]);
  assert.deepEqual(withDays(points.slice(0, 5)), [...points.slice(0, 4), gap(30), point(30, 3)], "the newest number stays");
});

test("a number that falls otherwise, or hardly rises, is no count", () => {
  for (const values of [[10, 20, 15, 30, 40, 0], [100, 5], [100, 5, 100, 5], [-10, 0, 10, 20, -100], [1, 2, 3, 4]]) {
    const points = pointsOf(values.map((_, i) => i), values);
    assert.deepEqual(newDays(points), [], values);
    assert.equal(withDays(points), points);
    assert.deepEqual(today(points), points);
  }
});

test("what holds at a time", () => {
  const points = [point(0, 1), gap(10), point(20, 3)];
  const held = [-1, 0, 9, 10, 19, 20, 99].map((time) => pointAt(points, time)?.[4] ?? null);
  assert.deepEqual(held, [null, 1, 1, null, null, 3, 3]);
});
