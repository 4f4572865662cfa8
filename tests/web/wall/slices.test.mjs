import assert from "node:assert/strict";
import { test } from "node:test";

import { areaOf, slice } from "../../../web/wall/slices.js";
import { group, tiles } from "./boxes.mjs";

const ROOM = { width: 172.2, height: 91 };
const COLUMN = 11.78;
const sizes = (items, room = ROOM) => slice(items, room, COLUMN)?.boxes.map(({ width, height }) => `${Math.round(width)}×${Math.round(height)}`);

test("equal tiles are equal, and fill the page", () => {
  assert.deepEqual(sizes(tiles("s s s s")), ["85×45", "85×45", "85×45", "85×45"]);
  assert.equal(new Set(sizes(tiles("s s s s s s s s s s s s"))).size, 1);
  assert.deepEqual(sizes(tiles("s")), ["172×91"]);
});

test("small tiles stand in a column beside a large one", () => {
  const boxes = slice(tiles("hero s s s l s s l"), ROOM, COLUMN)?.boxes ?? [];
  assert.equal(new Set(boxes.slice(1, 4).map(({ x }) => x)).size, 1);
  assert.ok(boxes[0].width > 2 * boxes[1].width);
});

test("what would be too small is refused", () => {
  assert.equal(slice(tiles("l l"), { width: 40, height: 20 }, COLUMN), null);
  assert.equal(slice([group("A", "l l")], { width: 40, height: 20 }, COLUMN), null);
  assert.ok(slice(tiles("l"), { width: 24, height: 18 }, COLUMN));
});

test("a shared axis is given up only where its tiles cannot stand below each other", () => {
  const low = slice([group("", "wide wide wide", true)], { width: 172, height: 40 }, COLUMN)?.boxes ?? [];
  assert.ok(new Set(low.slice(1).map(({ y }) => y)).size < 3);
});

test("the area counts cells, and no tile is wider than the page", () => {
  assert.equal(areaOf([...tiles("s m l wide hero"), group("A", "s s")], 12), 2 + 4 + 8 + 12 + 21 + 4);
  assert.equal(areaOf(tiles("hero"), 4), 12);
});

test("tiles below each other have heights that suit their sizes, and the rules of a score are in line with those beside it", () => {
  const items = [group("", "hero wide wide", true), ...tiles("m s s s l l wide")];
  const [, orders, latency, services, revenue, goal, , , best, , deployments] = slice(items, ROOM, COLUMN)?.boxes ?? [];
  assert.ok(revenue.height > 18.5 && goal.height > 15.4 && deployments.height > 29, "a numeral of 11 u, one above a bar, six rows");
  assert.deepEqual([orders.y, latency.y, services.y], [revenue.y, best.y, deployments.y]);
});

test("where heights that suit would be too low, tiles keep to the grid", () => {
  const boxes = slice([...tiles("s s"), group("A", "l l l l")], { width: 24, height: 122 }, COLUMN)?.boxes ?? [];
  assert.ok(boxes.length === 7 && boxes.filter(({ item }) => !item.items).every(({ item, height }) => height >= item.least.height));
});
