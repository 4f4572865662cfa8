import assert from "node:assert/strict";
import { test } from "node:test";

import { characters, face, isShort, label } from "../../../web/text/face.js";
import { stream } from "../streams.mjs";

test("a face shows a dash for no value, text as it is, and numbers with their unit", () => {
  assert.deepEqual(face(stream({ seq: 0, value: undefined, description: { unit: "ms" } })), {
    value: "—", size: "numeral", unit: "", exact: "",
  });
  assert.equal(face(stream({ value: null })).value, "—");
  assert.equal(face(stream({ value: 0, description: { title: "Zero", unit: "ms" } })).unit, "ms");
  assert.equal(face(stream({ value: "passing" })).size, "numeral");
  assert.equal(face(stream({ value: "a longer text than that" })).size, "text");
  assert.equal(face(stream({ value: true })).value, "yes");
  assert.equal(face(stream({ value: { toString: 1 } })).value, '{"toString":1}');
  assert.equal(label(stream()), "a");
  assert.equal(label(stream({ description: { title: "Zero" } })), "Zero");
  assert.equal(face(stream({ value: { a: [1, "<b>"] } })).value, '{"a":[1,"<b>"]}');
  assert.equal(face(stream({ value: 1284350.25 })).exact, "1284350.25");
});

test("a short text has at most ten characters, emoji counted once", () => {
  assert.equal(characters("🙂".repeat(10)), 10);
  assert.ok(isShort("🙂".repeat(10)));
  assert.ok(!isShort("x".repeat(11)));
});
