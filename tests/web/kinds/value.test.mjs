import assert from "node:assert/strict";
import { test } from "node:test";

import { Series } from "../../../web/client/series.js";
import { changeOf } from "../../../web/kinds/value.js";
import { NOW } from "../streams.mjs";

test("a change is written with the time that it took", () => {
  const series = new Series();
  for (const [ago, value] of [[7200, 1], [4000, 5], [600, 10], [5, 17.5]]) series.push(NOW - ago, value);
  assert.equal(changeOf(series, NOW).replaceAll("\u00a0", " "), "+12.5 in 60 min");
  series.push(NOW, 5);
  assert.equal(changeOf(series, NOW), "");
  series.push(NOW, 1);
  assert.match(changeOf(series, NOW), /^−4 in/);
  const young = new Series();
  young.push(NOW - 60, 1);
  young.push(NOW, 2);
  assert.equal(changeOf(young, NOW), "");
});
