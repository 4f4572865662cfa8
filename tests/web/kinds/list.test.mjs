import assert from "node:assert/strict";
import { test } from "node:test";

import { tableOf } from "../../../web/kinds/list.js";

test("any value becomes rows", () => {
  assert.deepEqual(tableOf([["a", 1], ["b", 2]]), { head: [], rows: [["a", 1], ["b", 2]] });
  assert.deepEqual(tableOf([{ id: 1, n: 2 }, { id: 3 }]), { head: ["id", "n"], rows: [[1, 2], [3, null]] });
  assert.deepEqual(tableOf({ a: 1, b: null }), { head: [], rows: [["a", 1], ["b", null]] });
  assert.deepEqual(tableOf([1, [], {}]), { head: [], rows: [[1], [[]], [{}]] });
  assert.deepEqual(tableOf([{}, {}]).rows.length, 2);
  assert.deepEqual(tableOf(5).rows, [[5]]);
});

test("a member that every object inherits is no data", () => {
  for (const key of ["constructor", "toString", "valueOf", "hasOwnProperty", "__proto__"]) {
    const rows = JSON.parse(`[{"a": 1, "${key}": 2}, {"a": 3}]`);
    assert.deepEqual(tableOf(rows), { head: ["a", key], rows: [[1, 2], [3, null]] });
  }
});
