import assert from "node:assert/strict";
import { test } from "node:test";

import { point, pointsOf } from "../../../web/draw/points.js";
import { decimalsOf, heightOn, limitsOf, rangeOf, risesFromZero, scaleOf } from "../../../web/draw/scale.js";

const limit = (value, above = true) => ({ value, above, level: /** @type {const} */ ("warn") });
const ticks = (low, high, wishes) => scaleOf({ low, high }, wishes).ticks;

test("a scale from zero has a round top and middle", () => {
  assert.deepEqual(scaleOf({ low: 3, high: 68 }, { zero: true }), { bottom: 0, top: 80, log: false, ticks: [0, 40, 80] });
  for (const [high, top] of [[1, 1], [7, 8], [93, 100], [100, 100], [101, 120], [412_380, 500_000], [0.3, 0.3], [1e300, 1e300]]) {
    const scale = scaleOf({ low: 0, high }, { zero: true });
    assert.deepEqual([scale.bottom, scale.top], [0, top], high);
  }
});

test("another number has its own range, with round numbers within", () => {
  assert.deepEqual(ticks(21.3, 23.9), [22, 24]);
  assert.deepEqual(ticks(-12, 41), [0, 20, 40]);
  assert.deepEqual(ticks(991, 1042), [1000, 1020, 1040]);
  const { bottom, top } = scaleOf({ low: 21.3, high: 23.9 });
  assert.ok(bottom < 21.3 && bottom > 21 && top > 23.9 && top < 24.2);
});

test("zero belongs to a scale that nearly reaches it", () => {
  assert.equal(scaleOf({ low: 12, high: 97 }).bottom, 0);
  assert.ok(scaleOf({ low: 50, high: 97 }).bottom > 0);
  assert.ok(scaleOf({ low: -5, high: 97 }).bottom < -5);
});

test("every range of numbers has two or three marks within it", () => {
  for (const [low, high] of [[0.1, 0.1001], [-3, -2], [1e-9, 5e-9], [-1e308, 1e308], [-1.7e308, 1.7e308], [5, 5], [0, 0], [-7, -7], [1e14, 1e14 + 2], [99, 101], [-1, 1000]]) {
    const { bottom, top, ticks } = scaleOf({ low, high });
    assert.ok(bottom <= low && top >= high, `${low} to ${high}`);
    assert.ok(ticks.length >= 2 && ticks.length <= 3, `${low} to ${high}: ${ticks}`);
    assert.ok(ticks.every((tick, i) => tick >= bottom && tick <= top && (!i || tick > ticks[i - 1])), `${low} to ${high}: ${ticks}`);
  }
});

test("a near limit widens the scale, a far one does not", () => {
  assert.equal(scaleOf({ low: 0, high: 17 }, { zero: true, limits: [limit(30), limit(90)] }).top, 30);
  assert.ok(scaleOf({ low: 20, high: 22 }, { limits: [limit(23.5)] }).top >= 23.5);
  assert.ok(scaleOf({ low: 20, high: 22 }, { limits: [limit(30)] }).top < 23);
  assert.ok(scaleOf({ low: 20, high: 22 }, { limits: [limit(18.5, false)] }).bottom <= 18.5);
  assert.equal(scaleOf({ low: 1, high: 22 }, { zero: true, limits: [limit(-4, false)] }).bottom, 0);
});

test("a logarithmic scale", () => {
  const scale = scaleOf({ low: 45, high: 1180 }, { log: true, limits: [limit(400), limit(90_000)] });
  assert.ok(scale.bottom < 45 && scale.bottom > 30 && scale.top > 1180 && scale.top < 1600);
  assert.deepEqual(scale.ticks, [50, 100, 200, 500, 1000]);
  const y = heightOn(scale);
  assert.ok(Math.abs(y(100) - y(50) - (y(200) - y(100))) < 1e-9);
  assert.ok(ticks(3e-300, 1e300, { log: true }).length <= 5);
  assert.deepEqual([y(0), y(-5)], [0, 0], "zero and less are at the lower edge");
  assert.equal(scaleOf({ low: -3, high: 0 }, { log: true }).log, false);
});

test("heights are shares, also of the largest numbers", () => {
  const y = heightOn(scaleOf({ low: -1.7e308, high: 1.7e308 }));
  assert.equal(y(0), 0.5);
  const flat = heightOn(scaleOf({ low: 5, high: 5 }));
  assert.ok(flat(5) > 0.2 && flat(5) < 0.8);
  const zero = heightOn(scaleOf({ low: 3, high: 68 }, { zero: true }));
  assert.deepEqual([0, 40, 80, 99, -1].map(zero), [0, 0.5, 1, 1, 0]);
});

test("the range of points counts their lowest and highest numbers", () => {
  assert.deepEqual(rangeOf([[[0, 1, 2, 9, 3], point(1, NaN)], pointsOf([0], [-4])]), { low: -4, high: 9 });
  assert.deepEqual(rangeOf([[], [point(0, NaN)]]), { low: Infinity, high: -Infinity });
});

test("limits are numbers with a sign", () => {
  assert.deepEqual(limitsOf({ warn: "> 80", critical: ">=95.5" }), [{ value: 80, level: "warn", above: true }, { value: 95.5, level: "critical", above: true }]);
  assert.deepEqual(limitsOf({ warn: "<-3" }), [{ value: -3, level: "warn", above: false }]);
  for (const warn of ["!= ok", "> x", "== 5", 5, null, {}, "toString"]) assert.deepEqual(limitsOf({ warn }), []);
});

test("money and counts rise from zero, measured numbers do not", () => {
  const rises = (description, ...values) => risesFromZero(description, pointsOf(values.map((_, i) => i), values));
  assert.equal(rises({}, 3, NaN, 17), true);
  assert.equal(rises({ format: "money" }, -2.5, 3.25), true);
  assert.equal(rises({}, 3.5, 17), false);
  assert.equal(rises({}, -3, 17), false);
  assert.equal(rises({ unit: "°C" }, 21, 22), false);
  assert.equal(rises({ unit: "%" }, 21, 22), false);
  assert.equal(rises({ format: "duration" }, 21, 22), false);
  assert.equal(rises({ unit: "orders" }, 21, 22), true);
});

test("a line of zeros has a scale from zero", () => {
  assert.deepEqual(scaleOf({ low: 0, high: 0 }), { bottom: 0, top: 1, log: false, ticks: [0, 0.5, 1] });
  assert.deepEqual(scaleOf({ low: -0, high: -0 }, { zero: true }).top, 1);
});

test("so many decimals tell the marks of a scale apart", () => {
  for (const [ticks, decimals] of [[[0, 40, 80], 0], [[23, 23.5, 24], 1], [[123_456.25, 123_456.5], 1], [[0, 0.02], 2], [[5], 0], [[], 0], [[0, 1e-300], 10]]) {
    assert.equal(decimalsOf({ bottom: 0, top: 1, log: false, ticks }), decimals, `${ticks}`);
  }
});
