import assert from "node:assert/strict";
import { test } from "node:test";

import { layout, nextPage } from "../../../web/wall/layout.js";
import { boxesOf, group, overlaps, tiles } from "./boxes.mjs";

const SCREENS = [[1920, 1080], [1080, 1920], [1280, 720], [1024, 768], [3840, 2160], [960, 540], [2560, 1080], [844, 390]];
const WALLS = {
  one: tiles("s"),
  seven: tiles("s s s s s s s"),
  lists: tiles("l l l l l l"),
  mixed: tiles("hero s s l s m l s s wide s l"),
  forty: tiles("s ".repeat(40).trim()),
  grouped: [group("A", "wide wide"), group("B", "wide wide wide"), group("C", "s s l l")],
  score: [group("", "hero wide wide", true), ...tiles("m s s s l l wide")],
  many: tiles("s s s s l ".repeat(40).trim()),
};

for (const [name, items] of Object.entries(WALLS)) {
  test(`every tile has its place, and none is too small: ${name}`, () => {
    for (const [width, height] of SCREENS) {
      const { unit, height: page, pages } = layout(items, { width, height });
      const room = { width: width / unit - 5.6, height: page };
      const placed = pages.flatMap(boxesOf);
      assert.deepEqual(placed.map(({ item }) => item), items.flatMap((item) => item.items ?? [item]), "each once, in order");
      for (const boxes of pages.map(boxesOf)) {
        for (const { item, x, y, width, height } of boxes) {
          assert.ok(width >= item.least.width - 0.01 && height >= item.least.height - 0.01, `${width} × ${height}`);
          assert.ok(x > -0.01 && y > -0.01 && x + width < room.width + 0.01 && y + height < room.height + 0.01);
        }
        assert.ok(!overlaps(boxes));
      }
    }
  });
}

test("a page has no empty fifth", () => {
  for (const items of Object.values(WALLS)) {
    const { unit, height, pages } = layout(items, { width: 1920, height: 1080 });
    for (const page of pages) {
      const filled = boxesOf(page).reduce((sum, box) => sum + (box.width + 2.8) * (box.height + 1.2), 0);
      assert.ok(filled > 0.8 * (1920 / unit - 2.8) * (height + 1.2));
    }
  }
});

test("places do not depend on what the tiles show, and pages are about equally full", () => {
  const { pages } = layout(WALLS.many, { width: 1920, height: 1080 });
  assert.deepEqual(layout(WALLS.many, { width: 1920, height: 1080 }).pages, pages);
  const counts = pages.map((page) => page.length);
  assert.ok(pages.length > 1 && Math.max(...counts) - Math.min(...counts) <= 0.2 * Math.max(...counts), counts.join());
});

test("the hero is the largest tile", () => {
  const [hero, ...others] = boxesOf(layout(WALLS.mixed, { width: 1920, height: 1080 }).pages[0]);
  for (const { width, height } of others) assert.ok(width * height < hero.width * hero.height);
});

test("tiles that share an axis stand below each other, over the whole width of their group", () => {
  for (const [width, height] of [[1920, 1080], [1080, 1920]]) {
    const [whole, ...boxes] = layout(WALLS.score, { width, height }).pages[0];
    const shared = boxes.slice(0, 3);
    assert.deepEqual(shared.map((box) => [box.x, box.width]), [1, 2, 3].map(() => [whole.x, whole.width]));
    assert.ok(shared[0].y < shared[1].y && shared[1].y < shared[2].y);
  }
});

test("a group has its heading above its tiles, and one that is too large goes on on the next page", () => {
  const [first, tile] = layout([group("A", "l l")], { width: 1920, height: 1080 }).pages[0];
  assert.ok(tile.y - first.y > 4);
  const { pages } = layout([group("A", "l ".repeat(30).trim())], { width: 1920, height: 1080 });
  assert.ok(pages.length > 1);
  for (const [heading] of pages) assert.equal(heading.item.title, "A");
});

test("a phone has one column that scrolls", () => {
  const { unit, scrolls, height, pages } = layout(WALLS.grouped, { width: 390, height: 844 });
  assert.ok(scrolls && height * unit > 844);
  assert.equal(new Set(pages[0].map(({ x }) => x)).size, 1);
});

test("the smallest text has 12 pixels at least", () => {
  for (const [width, height] of [[390, 844], [844, 390], [640, 360], [320, 480]]) assert.ok(layout([], { width, height }).unit * 2.2 >= 11.999);
  assert.equal(layout([], { width: 1920, height: 1080 }).unit, 10.8);
  assert.equal(layout([], { width: 1080, height: 1920 }).unit.toFixed(3), "8.856");
});

test("a screen that is smaller than a tile shows one at a time", () => {
  const { pages } = layout(tiles("hero l"), { width: 640, height: 120 });
  assert.equal(pages.length, 2);
});

test("a page with a critical tile stays, several take turns", () => {
  assert.equal(nextPage(0, [false, false, false]), 1);
  assert.equal(nextPage(2, [false, false, false]), 0);
  assert.equal(nextPage(1, [false, true, false]), 1);
  assert.equal(nextPage(0, [false, false, true]), 2);
  assert.equal(nextPage(1, [true, true, false]), 0);
});
