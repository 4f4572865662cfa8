import assert from "node:assert/strict";
import { test } from "node:test";

import { layout, nextPage } from "../../../web/wall/layout.js";

test("one tile fills the page, twelve make three rows, a phone has one column, many need pages", () => {
  const screen = { width: 1920, height: 1080 };
  const room = { width: 1920, height: 1010 };
  const place = (count, ...sizes) => layout(Array(count).fill(1), ...(sizes.length ? sizes : [room, screen]));
  assert.deepEqual([place(1).columns, place(1).height], [1, 1010]);
  assert.deepEqual([place(12).columns, place(12).height, place(12).pages.length], [4, 336, 1]);
  assert.deepEqual(place(12).pages[0][1], [4, 5, 6, 7]);
  assert.equal(place(25).pages.length, 1);
  assert.ok(place(40).pages.length === 2);
  assert.deepEqual(place(300).pages.flat(2), [...Array(300).keys()]);
  const phone = place(30, { width: 390, height: 770 }, { width: 390, height: 844 });
  assert.deepEqual([phone.columns, phone.pages.length], [1, 1]);
  for (let count = 0; count < 400; count++) {
    for (const [width, height] of [[1920, 1080], [390, 844], [800, 300], [1080, 1920], [3840, 2160]]) {
      const weights = Array.from({ length: count }, (_, i) => 1 + (i % 5 === 3));
      const { columns, height: row, unit, lines, pages } = layout(weights, { width, height: height - 60 }, { width, height });
      assert.ok(columns >= 1 && columns <= 8 && row > 15 * unit && Number.isFinite(row) && unit >= 5.5 && lines >= 1);
      assert.deepEqual(pages.flat(2), [...weights.keys()], "each tile once, in order");
      for (const tiles of pages.flat()) assert.ok(tiles.reduce((sum, i) => sum + Math.min(columns, weights[i]), 0) <= columns);
      if (width >= 600) for (const page of pages) assert.ok(page.length * row <= Math.max(height - 60, row));
    }
  }
});

test("pages take turns, and only those with a critical tile if there are any", () => {
  assert.equal(nextPage(0, [false, false, false]), 1);
  assert.equal(nextPage(2, [false, false, false]), 0);
  assert.equal(nextPage(0, [true, false, true]), 2);
  assert.equal(nextPage(2, [true, false, true]), 0);
  assert.equal(nextPage(1, [false, true, false]), 1);
  assert.equal(nextPage(0, [false, false, true]), 2);
});
