import assert from "node:assert/strict";
import { test } from "node:test";

import * as format from "../../../web/text/format.js";

test("the forms that most tiles need are in one place", () => {
  assert.deepEqual(Object.keys(format).sort(), ["clock", "cut", "duration", "limit", "number", "text"]);
});
