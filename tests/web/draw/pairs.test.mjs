import assert from "node:assert/strict";
import { test } from "node:test";

import { pointsOf, readPairs } from "../../../web/draw/pairs.js";

const NINE = "2026-11-30T09:00:00+01:00";
const TEN = "2026-11-30T09:00:00Z"; // 10:00 in the zone of the other one
const at = (time) => Date.parse(time) / 1000;

test("rows of times are in the order of time, and null is a hole", () => {
  const { axis, rows, notes } = readPairs([[TEN, null], [NINE, 5]]);
  assert.equal(axis, "times");
  assert.deepEqual(rows, [{ x: at(NINE), y: 5 }, { x: at(TEN), y: null }]);
  assert.deepEqual(notes, []);
});

test("rows of names stay as they came", () => {
  const told = [["north", 2], [9, 1.5], [null, null], [true, 0]];
  assert.deepEqual(readPairs(told), { axis: "names", rows: told.map(([x, y]) => ({ x, y })), notes: [] });
  assert.deepEqual(readPairs([]), { axis: "names", rows: [], notes: [] });
});

test("one x that is no time makes all of them names", () => {
  for (const x of ["total", 9, "2026-11-30", "2026-11-30T09:00:00", "2026-11-30T99:00Z"]) assert.equal(readPairs([[NINE, 1], [x, 2]]).axis, "names");
});

test("what is left out is told", () => {
  const cut = readPairs([["… and 1109 rows before", null], [NINE, 1], [null, 7]]);
  assert.deepEqual([cut.axis, cut.rows.length, cut.notes], ["times", 1, [{ what: "rowsBefore", count: 1109 }, { what: "withoutTime", count: 1 }]]);
  const more = readPairs([["a", 1], ["… and 7 rows more", null]]);
  assert.deepEqual([more.axis, more.rows.length, more.notes], ["names", 1, [{ what: "more", count: 7 }]]);
  assert.equal(readPairs([["… and 7 rows more", 1]]).rows.length, 1, "a name that only looks like it");
});

test("other values are no series", () => {
  for (const value of [undefined, null, 5, "x", {}, { a: 1 }, [1], [["a"]], [["a", "b"]], [["a", true]], [["a", 1, 2]], [[{}, 1]], [["a", 1], {}]]) {
    assert.equal(readPairs(value), null);
  }
});

test("the last number holds for the shortest step", () => {
  const { times, values, until } = pointsOf([{ x: 0, y: 1 }, { x: 60, y: null }, { x: 60, y: 2 }, { x: 90, y: 3 }]);
  assert.deepEqual([[...times], [...values], until], [[0, 60, 60, 90], [1, NaN, 2, 3], 120]);
  assert.ok(pointsOf([{ x: 5, y: 1 }]).until > 5);
});
