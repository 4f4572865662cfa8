import assert from "node:assert/strict";
import { test } from "node:test";

import { clock } from "../../../web/text/format.js";
import { alarmsOf, fitNeeds, isCalm, isUrgent, needsOf } from "../../../web/wall/summary.js";
import { NOW } from "../streams.mjs";

const said = (state, level = "ok", strong = "") => ({ state, level, evidence: [{ strong }], since: NOW - 3600 });
const tile = (called, assessment) => ({ called, assessment });
const SINCE = `since ${clock(NOW - 3600, NOW)}`;

test("the summary names what needs somebody, the worst first, and since when", () => {
  assert.deepEqual(needsOf([], NOW), []);
  assert.deepEqual(needsOf([tile("a", said("current")), tile("b", null)], NOW), []);
  const tiles = [
    tile("Room", { ...said("late"), evidence: [{ text: "late by 14 min" }] }),
    tile("Search", said("current", "warn", "▲ above 400")),
    tile("Revenue", said("failed", "ok", "✕ database does not answer")),
    tile("Queue", said("current", "critical", "■ above 40")),
  ];
  assert.deepEqual(needsOf(tiles, NOW).map(({ rank, name, text, since }) => [rank, name, text, since]), [
    ["critical", "■ Queue", "above 40", SINCE],
    ["failed", "✕ Revenue", "failed", SINCE],
    ["warn", "▲ Search", "above 400", SINCE],
    ["late", "Room", "late by 14 min", ""],
  ]);
});

test("a tile of many parts names its parts", () => {
  const assessment = { ...said("current", "critical"), needs: [{ name: "Payments", text: "down 20 min", level: "critical" }] };
  assert.deepEqual(needsOf([tile("Services", assessment)], NOW), [{ rank: "critical", name: "■ Payments", text: "down 20 min" }]);
});

test("a tile of many parts that is late names its parts, and itself", () => {
  const needs = [{ name: "Payments", level: /** @type {const} */ ("critical") }];
  const assessment = { ...said("late"), evidence: [{ text: "late by 3 s" }], needs };
  assert.deepEqual(needsOf([tile("Services", assessment)], NOW).map(({ name }) => name), ["■ Payments", "Services"]);
});

test("all is well only if every tile is current and has no level", () => {
  assert.ok(isCalm([tile("a", said("current"))]));
  for (const bad of [said("unconfirmed"), said("catching-up"), said("waiting"), said("current", "warn"), null]) {
    assert.ok(!isCalm([tile("a", said("current")), tile("b", bad)]));
  }
  assert.ok(!isCalm([]));
});

test("what has no room is counted", () => {
  const needs = Array.from({ length: 9 }, () => ({ rank: /** @type {const} */ ("late"), name: "Server room", text: "late by 14 min" }));
  const { shown, more } = fitNeeds(needs, 40);
  assert.ok(shown.length >= 2 && shown.length + more === 9);
  assert.deepEqual([fitNeeds(needs, 1).shown.length, fitNeeds(needs, 1).more], [1, 8]);
  assert.equal(fitNeeds(needs, 1000).more, 0);
  assert.deepEqual(fitNeeds([], 40), { shown: [], more: 0 });
});

test("where not all have room, names count more than since when", () => {
  const need = { rank: /** @type {const} */ ("warn"), name: "▲ Search", text: "slow", since: "since 14:20" };
  assert.equal(fitNeeds([need, need], 60).shown[0].text, "slow since 14:20");
  const short = fitNeeds([need, need, need], 30);
  assert.deepEqual([short.shown.length, short.shown[0].text], [3, "slow"]);
});

test("only a critical tile is urgent", () => {
  assert.ok(isUrgent([said("failed"), said("current", "critical")]));
  assert.ok(!isUrgent([said("failed"), null]));
});

test("the alarms name at most five tiles, with the most important evidence", () => {
  assert.equal(alarmsOf([tile("a", said("current")), tile("b", null), tile("c", said("late"))]), "");
  const bad = [tile("Disk", said("current", "critical", "■ above 95")), tile("Shop", said("failed", "ok", "✕ gone"))];
  assert.equal(alarmsOf(bad), "Disk: ■ above 95. Shop: ✕ gone");
  assert.equal(alarmsOf(Array(9).fill(bad[0])).split(". ").length, 5);
});
