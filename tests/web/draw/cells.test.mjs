import assert from "node:assert/strict";
import { test } from "node:test";

import { arrangeCells } from "../../../web/draw/cells.js";

test("cells have names while there is room, in as few columns as possible", () => {
  const few = arrangeCells(4, { width: 50, height: 16 });
  assert.deepEqual([few.named, few.columns, few.rows, few.shown], [true, 1, 4, 4]);
  const many = arrangeCells(12, { width: 50, height: 20 });
  assert.deepEqual([many.named, many.columns, many.rows], [true, 2, 6]);
  assert.ok(many.height <= 20 / 6);
});

test("cells without room for names are signs, and the rest is counted", () => {
  const signs = arrangeCells(60, { width: 20, height: 9 });
  assert.deepEqual([signs.named, signs.columns, signs.shown], [false, 6, 18]);
  assert.ok(signs.rows * signs.height <= 9);
  assert.equal(arrangeCells(60, { width: 50, height: 30 }).shown, 60);
});

test("no room and no cells are no division by zero", () => {
  for (const room of [{ width: 0, height: 0 }, { width: 3, height: 1 }]) {
    for (const count of [0, 1, 60]) {
      const { columns, rows, height } = arrangeCells(count, room);
      assert.ok(columns >= 1 && rows >= 0 && (rows === 0 || Number.isFinite(height)));
    }
  }
});

test("cells take the spare line rather than lose their names", () => {
  const room = { width: 54, height: 16 };
  assert.equal(arrangeCells(16, room).named, false);
  const large = arrangeCells(16, { ...room, spare: 3.2 });
  assert.deepEqual([large.named, large.columns, large.rows], [true, 3, 6]);
  assert.ok(large.rows * large.height <= 19.2);
  const signs = arrangeCells(60, { ...room, spare: 3.2 });
  assert.ok(!signs.named && signs.rows * signs.height <= 16); // their evidence needs the line
});
