import assert from "node:assert/strict";
import { test } from "node:test";

import { planned } from "../../web/plan.js";

const shown = (tiles, names) => [...planned(tiles, names).values()].map(({ names, show }) => [names.join("+"), show ?? ""].join(" ").trim());

test("a configured tile is there, in its place, also when its stream is not, or has another", () => {
  const tiles = [{ stream: "a" }, { stream: "a", show: "chart" }, { streams: ["a", "b"] }, { stream: "not.there" }];
  assert.deepEqual(shown(tiles, []), ["a", "a chart", "a+b", "not.there"]);
});

test("a glob brings what there is, prefixes together, and repeats nothing", () => {
  const names = ["db.a", "web.a", "db.b", "a", "db.c", "webs"];
  assert.deepEqual(shown([{ stream: "*" }], names), ["db.a", "db.b", "db.c", "web.a", "a", "webs"]);
  const tiles = [{ stream: "web.?" }, { stream: "*", show: "list" }, { stream: "db.b", show: "chart" }, { streams: ["a", "webs"] }];
  assert.deepEqual(shown(tiles, names), ["web.a", "db.a list", "db.c list", "a list", "webs list", "db.b chart", "a+webs"]);
});
