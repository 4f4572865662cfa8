import assert from "node:assert/strict";
import { test } from "node:test";

import { expandTiles, heroOf, selectionOf, selectionOfAll, showsStream, sortNames } from "../../../web/wall/configuration.js";

const shown = (tiles, names) => [...expandTiles(tiles, names).values()].map(({ names, show }) => [names.join("+"), show ?? ""].join(" ").trim());

test("a named tile has its place whether or not its stream exists or has another tile", () => {
  const tiles = [{ stream: "a" }, { stream: "a", show: "chart" }, { streams: ["a", "b"] }, { stream: "not.there" }];
  assert.deepEqual(shown(tiles, []), ["a", "a chart", "a+b", "not.there"]);
});

test("a glob makes a tile for each stream and repeats none", () => {
  const names = ["a", "db.a", "db.b", "db.c", "web.a", "webs"];
  assert.deepEqual(shown([{ stream: "*" }], names), names);
  const tiles = [{ stream: "web.?" }, { stream: "*", show: "list" }, { stream: "db.b", show: "chart" }, { streams: ["a", "webs"] }];
  assert.deepEqual(shown(tiles, names), ["web.a", "a list", "db.a list", "db.c list", "webs list", "db.b chart", "a+webs"]);
});

test("globs among several streams put all their streams on one tile, which waits without any", () => {
  const tiles = [{ streams: ["svc.*", "db", "svc.a"] }, { streams: ["x.*", "y.?"] }, { streams: ["x.*", "db"] }];
  assert.deepEqual(shown(tiles, ["db", "svc.a", "svc.b"]), ["svc.a+svc.b+db", "x.*+y.?", "db"]);
});

test("a tile keeps the options of its kind", () => {
  const [spec] = expandTiles([{ stream: "a", show: "chart", size: "hero", window: 28800 }], []).values();
  assert.deepEqual(spec, { names: ["a"], show: "chart", size: "hero", window: 28800 });
});

/** Check that these names, in whatever order the server has them, are sorted into this one. */
function sorts(names, order) {
  for (const each of names) {
    assert.deepEqual(sortNames([...names.slice(names.indexOf(each)), ...names.slice(0, names.indexOf(each))], order), names);
    assert.deepEqual(sortNames([...names].reverse(), order), names);
  }
}

test("names without an order are sorted as people count, and those with the same prefix stand together", () => {
  sorts(["a", "a.b", "a.z", "a-x", "a-x.y", "b", "B2", "web-2", "web-2.a", "web-010", "web-10", "web-10.a"]);
  sorts(["db.a", "db.a.x", "db.b", "db-2.a"]);
});

test("names are sorted as the configuration names them, and then as people count", () => {
  sorts(["zulu", "alpha", "mike", "b", "c"], ["zulu", "alpha", "mike"]);
  sorts(["web.visits", "web.a", "web.z", "shop", "shop.revenue", "shop.orders", "a"], ["web.visits", "shop", "shop.revenue"]);
  sorts(["s.10", "s.9", "s.1", "s.2", "a.2"], ["s.10", "not.there", "s.9"]);
  sorts(["db.main", "db.main.x", "db.other.a", "db.new"], ["db.main", "db.other"]);
});

test("the tile of a source that has failed stands where its streams do", () => {
  const order = ["web", "shop", "build"];
  sorts(["web", "shop.a", "shop.b", "build"], order);
  sorts(["web", "shop", "build"], order);
});

test("a wall reads the streams that it shows, or all for a star", () => {
  assert.deepEqual(selectionOf({ tiles: [{ stream: "a.*" }, { streams: ["b", "c"] }] }), ["a.*", "b", "c"]);
  assert.equal(selectionOf({ tiles: [{ stream: "a" }, { stream: "*" }] }), undefined);
  const groups = [{ title: "Shop", share: "time", events: "deploys" }, { title: "House" }];
  assert.deepEqual(selectionOf({ tiles: [{ stream: "a", group: "Shop" }], groups }), ["a", "deploys"]);
});

test("the first number of a wall that nobody configured is its hero", () => {
  const specs = (...names) => expandTiles([{ stream: "*" }], names);
  const streams = new Map([["a", { value: "word" }], ["b", { value: 7 }], ["c", { value: 8 }]]);
  assert.equal(heroOf([{ stream: "*" }], specs("a", "b", "c", "d"), streams), "b");
  assert.equal(heroOf([{ stream: "*" }], specs("a", "b", "c"), streams), undefined);
  assert.equal(heroOf([{ stream: "*" }], specs("a", "d", "e", "f"), streams), undefined);
  assert.equal(heroOf([{ stream: "*" }, { stream: "b" }], specs("a", "b", "c", "d"), streams), undefined);
  assert.equal(heroOf([{ stream: "b*" }], specs("a", "b", "c", "d"), streams), undefined);
});

test("several walls read the streams of all of them, or all streams if one selection cannot name them", () => {
  const wall = (...names) => ({ tiles: names.map((stream) => ({ stream })) });
  assert.deepEqual(selectionOfAll([wall("a", "b.*"), wall("b.*", "c")]), ["a", "b.*", "c"]);
  assert.equal(selectionOfAll([wall("a"), wall("*")]), undefined);
  const many = (text, count) => wall(...Array.from({ length: count }, (_, i) => text.replace("N", i)));
  assert.equal(selectionOfAll([many("aN", 32), many("aN", 5)])?.length, 32);
  for (const other of [many("bN", 1), many("c.N.*.*", 17), many(`${"d".repeat(120)}N*`, 9)]) {
    assert.equal(selectionOfAll([many("aN", 15), many("aN", other.tiles.length === 1 ? 32 : 15), other]), undefined);
  }
});

test("a wall shows the streams of its tiles", () => {
  const wall = { tiles: [{ stream: "a" }, { stream: "b.*" }, { streams: ["c", "d.?"] }], groups: [{ title: "A", events: "e" }] };
  const shown = ["a", "a.b", "b.x", "b", "c", "d.x", "d.xy", "e"].filter((name) => showsStream(wall, name));
  assert.deepEqual(shown, ["a", "b.x", "c", "d.x"]);
});
