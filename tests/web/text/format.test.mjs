import assert from "node:assert/strict";
import { test } from "node:test";

import { clock, cut, duration, limit, number, text } from "../../../web/text/format.js";
import { NOW } from "../streams.mjs";

test("numbers have at most five significant digits", () => {
  const plain = (value) => number(value).replace(/[\u00a0\u202f,]/g, "");
  for (const [value, written] of [
    [0, "0"], [-0, "0"], [7, "7"], [12345, "12345"], [99_999, "99999"], [0.5, "0.5"], [3.14159, "3.142"], [21.4375, "21.44"],
    [1234.56, "1235"], [-12.5, "-12.5"], [0.00012345, "0.0001235"], [128_431, "128.4K"], [1_284_350.25, "1.284M"],
    [-5.5e9, "-5.5B"], [1.5e-7, "1.5E-7"], [1e300, "1E300"], [99_999.9, "100K"],
  ]) assert.equal(plain(value), written, `${value}`);
});

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

test("durations and times of day are short", () => {
  const written = (...args) => duration(...args).replaceAll("\u00a0", " ");
  for (const [seconds, one, two] of [
    [-3, "0 s", "0 s"], [0.5, "0 s", "0 s"], [59.9, "59 s", "59 s"], [70, "70 s", "1 min 10 s"], [190, "3 min", "3 min 10 s"],
    [3600, "60 min", "1 h"], [3661, "61 min", "1 h 1 min"], [3 * 3600, "3 h", "3 h"], [90_000, "1 d", "1 d 1 h"],
  ]) assert.deepEqual([written(seconds), written(seconds, 2)], [one, two], `${seconds}`);
  for (const seconds of [0, 1]) assert.match(duration(seconds), /^\d\u00a0s$/, "one word");
  assert.match(clock(NOW - 60, NOW), /^\d\d:\d\d$/);
  assert.match(clock(NOW - 86_400 * 3, NOW), /19.*\d\d:\d\d$/);
  assert.match(clock(1, NOW), /19(70|69)/);
  for (const odd of [1e300, NaN, undefined]) assert.equal(clock(odd, NOW), "?");
});

test("limits are written in words", () => {
  for (const [given, words] of [
    ["> 80", "above 80"], ["<5", "below 5"], [">= 1", "at least 1"], ["<= 1", "at most 1"], ["!= ok", "not ok"], ["== 3", "at 3"],
    ["odd", "odd"], [undefined, ""], [5, ""],
  ]) assert.equal(limit(given), words);
});
