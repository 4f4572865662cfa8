import assert from "node:assert/strict";
import { test } from "node:test";

import { alarmsOf, isUrgent, summaryOf } from "../../../web/wall/summary.js";

const said = (state, level = "ok", evidence = []) => ({ state, level, evidence });

test("the summary counts what needs somebody, the worst first", () => {
  assert.equal(summaryOf([]), "0 tiles");
  assert.equal(summaryOf([said("current")]), "1 tile");
  const all = [said("late"), said("current", "warn"), said("failed"), said("current", "critical"), said("late"), said("waiting"), null];
  assert.equal(summaryOf(all), "7 tiles · 1 critical · 1 warning · 1 failed · 2 late · 1 waiting");
  assert.ok(isUrgent(all));
  assert.ok(!isUrgent([said("failed"), null]));
});

test("the alarms name at most five tiles, with the most important evidence", () => {
  const tile = (called, assessment) => ({ called, assessment });
  assert.equal(alarmsOf([tile("a", said("current")), tile("b", null), tile("c", said("late"))]), "");
  const bad = [tile("Disk", said("current", "critical", ["■ above 95", "now"])), tile("Shop", said("failed", "ok", ["✕ gone"]))];
  assert.equal(alarmsOf(bad), "Disk: ■ above 95. Shop: ✕ gone");
  assert.equal(alarmsOf(Array(9).fill(bad[0])).split(". ").length, 5);
});
