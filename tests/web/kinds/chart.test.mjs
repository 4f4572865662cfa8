import assert from "node:assert/strict";
import { test } from "node:test";

import { limitsOf } from "../../../web/kinds/chart.js";

test("a chart shows the limits that are a number", () => {
  const limits = (description) => limitsOf({ description }).map(({ value, level, text }) => [value, level, text]);
  assert.deepEqual(limits({ warn: "> 80", critical: ">= 95.5" }), [[80, "warn", "warning above 80"], [95.5, "critical", "critical at least 95.5"]]);
  assert.deepEqual(limits({ warn: "<-3" }), [[-3, "warn", "warning below -3"]]);
  assert.deepEqual(limits({ warn: "!= ok", critical: "> x" }), []);
  assert.deepEqual(limits({}), []);
});
