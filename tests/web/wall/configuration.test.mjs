import assert from "node:assert/strict";
import { test } from "node:test";

import { expandTiles, groupByPrefix, selectionOf } from "../../../web/wall/configuration.js";

const shown = (tiles, names) => [...expandTiles(tiles, names).values()].map(({ names, show }) => [names.join("+"), show ?? ""].join(" ").trim());

test("a named tile has its place whether or not its stream exists or has another tile", () => {
  const tiles = [{ stream: "a" }, { stream: "a", show: "chart" }, { streams: ["a", "b"] }, { stream: "not.there" }];
  assert.deepEqual(shown(tiles, []), ["a", "a chart", "a+b", "not.there"]);
});

test("a glob makes a tile for each stream, groups prefixes, and repeats none", () => {
  const names = ["db.a", "web.a", "db.b", "a", "db.c", "webs"];
  assert.deepEqual(shown([{ stream: "*" }], names), ["a", "db.a", "db.b", "db.c", "web.a", "webs"]);
  const tiles = [{ stream: "web.?" }, { stream: "*", show: "list" }, { stream: "db.b", show: "chart" }, { streams: ["a", "webs"] }];
  assert.deepEqual(shown(tiles, names), ["web.a", "a list", "db.a list", "db.c list", "webs list", "db.b chart", "a+webs"]);
});

test("the order of a glob's tiles is that of their names, whatever order the server has", () => {
  const names = ["web-10", "b", "web-2", "a.z", "a-x", "a.b", "B2"];
  for (let i = 0; i < names.length; i++) {
    names.push(names.shift() ?? "");
    assert.deepEqual(shown([{ stream: "*" }], names), shown([{ stream: "*" }], [...names].reverse()));
  }
  assert.deepEqual(shown([{ stream: "web*" }, { stream: "*" }], names).slice(0, 2), ["web-2", "web-10"]);
});

test("names with the same prefix stand together, where the first of them is", () => {
  assert.deepEqual(groupByPrefix(["b.x", "a", "b.y", "a.z", "c"]), ["b.x", "b.y", "a", "a.z", "c"]);
});

test("a wall reads the streams that it shows, or all for a star", () => {
  assert.deepEqual(selectionOf({ tiles: [{ stream: "a.*" }, { streams: ["b", "c"] }] }), ["a.*", "b", "c"]);
  assert.equal(selectionOf({ tiles: [{ stream: "a" }, { stream: "*" }] }), undefined);
});
