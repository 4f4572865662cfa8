import assert from "node:assert/strict";
import { test } from "node:test";

import { windowOf } from "../../../web/parts/timeline.js";

test("the window is that of the score, of the tile, or of the history", () => {
  const window = (spec, description) => windowOf(spec, description);
  assert.equal(window({ score: { window: 60 }, window: 30 }, { keep: "10s" }), 60);
  assert.equal(window({ window: 30 }, { keep: "10s" }), 30);
  assert.equal(window({}, { keep: "86400s" }), 86_400);
  assert.equal(window({}, { keep: "3600s", rollup: "691200s" }), 28_800);
  assert.equal(window({}, { keep: 100, rollup: "7200s" }), 7200);
  assert.equal(window({}, { keep: 100 }), null);
});
