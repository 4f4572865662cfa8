import assert from "node:assert/strict";
import { test } from "node:test";

import { fitColumns, fitRows, GAP, wholeRoom } from "../../../web/draw/columns.js";

const text = (width) => ({ width, least: 5, text: true });
const number = (width) => ({ width, least: width, right: true });
const total = (widths) => widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1);

test("columns fill the room, and no number is narrower than its digits", () => {
  const widths = fitColumns([text(12), number(5), number(4)], 40);
  assert.equal(widths.length, 3);
  assert.ok(Math.abs(total(widths) - 40) < 1e-9);
  assert.deepEqual(widths.slice(1), [5, 4]);
});

test("texts give way before columns go, and columns go whole, from the last", () => {
  const columns = [text(12), number(5), text(12), number(6)];
  assert.equal(fitColumns(columns, 5 + 5 + 5 + 6 + 3 * GAP).length, 4);
  const widths = fitColumns(columns, 5 + 5 + 5 + 6 + 3 * GAP - 0.1);
  assert.equal(widths.length, 3);
  assert.ok(widths[1] === 5 && widths[0] >= 5 && widths[2] >= 5);
});

test("the first column stays, however narrow the room", () => {
  assert.deepEqual(fitColumns([number(20), text(5)], 10), [10]);
  assert.deepEqual(fitColumns([text(20)], -1), [0]);
});

test("numbers alone are spread over the tile", () => {
  const widths = fitColumns([number(4), number(4), number(4)], 30);
  assert.ok(Math.abs(total(widths) - 30) < 1e-9);
  assert.equal(widths[0], 4); // at the left edge, with its head
  assert.equal(widths[1], widths[2]);
});

test("a state is cut less than a text, and the room for all is known", () => {
  const state = { width: 10, least: 8, text: true };
  const [name, said] = fitColumns([text(10), state], 15);
  assert.ok(name < said && said >= 8);
  assert.equal(wholeRoom([text(10), state]), 20 + GAP);
});

test("a bar grows only when no text is cut", () => {
  const bar = { width: 4, least: 2.5 };
  const [name, scant] = fitColumns([text(8), bar, text(3)], 8 + 3 + 3 + 2 * GAP);
  assert.ok(Math.abs(name - 8) < 1e-9 && Math.abs(scant - 3) < 1e-9, `${[name, scant]}`);
  assert.equal(fitColumns([text(8), bar, number(3)], 40)[1], 4);
});

test("rows are as high as there is room, and only whole ones are shown", () => {
  const height = { least: 3, most: 5 };
  assert.deepEqual(fitRows(3, 12, height), { shown: 3, height: 4 });
  assert.deepEqual(fitRows(4, 12, height), { shown: 4, height: 3 });
  assert.deepEqual(fitRows(9, 13, height), { shown: 4, height: 3.25 });
  assert.deepEqual(fitRows(1, 12, height), { shown: 1, height: 5 });
  assert.equal(fitRows(9, -5, height).shown, 1);
  assert.equal(fitRows(0, 12, height).shown, 0);
});
