import assert from "node:assert/strict";
import { test } from "node:test";

import { characters, face, isScaled, isShort, label } from "../../../web/text/face.js";
import { NOW, stream } from "../streams.mjs";

test("a face shows a dash for no value, text as it is, and numbers with their unit", () => {
  assert.deepEqual(face(stream({ seq: 0, value: undefined, description: { unit: "ms" } })), {
    before: "", value: "—", size: "numeral", unit: "", exact: "",
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

test("a face follows the words and the format of its stream", () => {
  const place = { language: "en", timezone: "UTC", now: NOW };
  const shown = (value, description, narrow) => face(stream({ value, description }), place, narrow);
  assert.deepEqual(shown(0, { words: { 0: "down" } }), { before: "", value: "down", size: "numeral", unit: "", exact: "0" });
  assert.equal(shown(0, { words: { 0: "out of order since May" } }).size, "text");
  assert.deepEqual(shown(1_284_350, { format: "money", currency: "EUR" }, true), { before: "€", value: "1.28", size: "numeral", unit: "M", exact: "1284350" });
  assert.equal(shown("2026-11-29T18:30:00Z", { format: "time" }).size, "numeral");
  assert.equal(shown("some day in spring", { format: "time" }).size, "text");
  assert.equal(shown(true, {}).value, "yes");
  assert.equal(face(stream({ value: true }), { language: "de" }).value, "ja");
});

test("a face in the next unit is another one than a face in fewer digits", () => {
  const scaled = (value, unit) => [false, true].map((narrow) => face({ name: "x", seq: 1, value, description: { unit } }, { language: "en" }, narrow));
  assert.ok(isScaled(...scaled(1467, "ms")));
  assert.ok(!isScaled(...scaled(1467, "requests")));
  assert.ok(!isScaled(...scaled(1467, undefined)));
});

test("a face tells all digits that the server sent", () => {
  const { exact } = face(stream({ value: 9_007_199_254_740_992, exact: 9_007_199_254_740_993n }));
  assert.equal(exact, "9007199254740993");
});

test("a short text has at most ten characters, emoji counted once", () => {
  assert.equal(characters("🙂".repeat(10)), 10);
  assert.ok(isShort("🙂".repeat(10)));
  assert.ok(!isShort("x".repeat(11)));
});
