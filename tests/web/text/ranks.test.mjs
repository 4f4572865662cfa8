import assert from "node:assert/strict";
import { test } from "node:test";

import { RANKS, rankOf, SIGNS } from "../../../web/text/ranks.js";

test("only a current value has a level", () => {
  assert.deepEqual(["critical", "warn", "ok", undefined, "odd"].map((level) => rankOf("current", level)), ["critical", "warn", "ok", "ok", "ok"]);
  for (const state of ["lost", "catching-up", "unconfirmed"]) assert.equal(rankOf(state, "critical"), "ok");
});

test("a stream of which nothing is known needs somebody, whatever its level", () => {
  for (const state of ["failed", "late", "waiting"]) assert.equal(rankOf(state, "critical"), state);
});

test("every rank has a sign, which may be empty", () => {
  assert.deepEqual(Object.keys(SIGNS).sort(), [...RANKS].sort());
});
