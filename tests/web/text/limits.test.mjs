import assert from "node:assert/strict";
import { test } from "node:test";

import { limit } from "../../../web/text/limits.js";

const EN = { language: "en" };
const plain = (text) => text.replace(/[\u00a0\u202f]/g, " ");

test("limits are written in words", () => {
  for (const [given, words] of [
    ["> 80", "above 80"], ["<5", "below 5"], [">= 1", "at least 1"], ["<= 1", "at most 1"], ["!= ok", "not ok"], ["== 3", "at 3"],
    ["== failed", "failed"], ["!= 'a b'", "not a b"], ["odd", "odd"], [undefined, ""], [5, ""], ["> ", "above \"\""],
  ]) assert.equal(limit(given, {}, EN), words, `${given}`);
  assert.equal(limit("> 80", {}, { language: "de" }), "über 80");
  assert.ok(limit(`== ${"x".repeat(200)}`, {}, EN).length <= 61);
});

test("limits are written as the values are", () => {
  const said = (given, description) => plain(limit(given, description, EN));
  assert.equal(said("< 5000", { format: "money", currency: "EUR" }), "below € 5,000");
  assert.equal(said("> 400", { unit: "ms" }), "above 400 ms");
  assert.equal(said("> 2e9", { format: "bytes" }), "above 2 GB");
});

test("a value is called by its word, but an order is not", () => {
  const description = { words: { 0: "down", 1: "up", true: "open" } };
  assert.equal(limit("== 0", description, EN), "down");
  assert.equal(limit("!= 1", description, EN), "not up");
  assert.equal(limit("== true", description, EN), "open");
  assert.equal(limit("> 0", description, EN), "above 0");
});
