import assert from "node:assert/strict";
import { test } from "node:test";

import { cut, text } from "../../../web/text/plain.js";

test("any value becomes text of bounded length", () => {
  let deep = [];
  for (let i = 0; i < 100_000; i++) deep = [deep];
  for (const value of [deep, "x".repeat(65_536), Array(10_000).fill("🙂"), "🙂".repeat(20_000)]) {
    const written = text(value);
    assert.ok(written.length > 10 && written.length <= 601);
    assert.equal(Buffer.from(written).toString(), written); // no half characters
  }
  assert.equal(text(""), '""');
  assert.equal(text(" \n"), '" \\n"');
  assert.equal(text(false), "false");
  assert.equal(cut("abc", 3), "abc");
});

test("numbers of any length are exact if they are given so", () => {
  assert.equal(text(9_007_199_254_740_993n), "9007199254740993");
  assert.equal(text([9_007_199_254_740_993n]), '["9007199254740993"]');
});
