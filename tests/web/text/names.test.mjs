import assert from "node:assert/strict";
import { test } from "node:test";

import { isName } from "../../../web/text/names.js";

test("a name has 1 to 128 letters, digits, dots, dashes and underscores", () => {
  for (const name of ["a", "0", "shop.orders-2_x", "a".repeat(128)]) assert.ok(isName(name), name);
  for (const name of ["", ".a", "-a", "a b", "ä", "a,b", "*", "a".repeat(129)]) assert.ok(!isName(name), name);
});
