import assert from "node:assert/strict";
import { test } from "node:test";

import { cell, inline, isAmount, isMoving, isTime, wordOf, written } from "../../../web/text/values.js";

const NOW = Date.UTC(2026, 10, 27, 13, 32) / 1000;
const HERE = { language: "en-GB", timezone: "Europe/Berlin", now: NOW };
const plain = (text) => text.replace(/[\u00a0\u202f]/g, " ");
const line = (value, description = {}, narrow = false, place = HERE) => plain(inline(value, description, place, narrow));

test("each format writes its values", () => {
  for (const [format, value, wide, narrow] of [
    [undefined, 12_345, "12,345 /h", "12.3 K /h"], ["number", 12_345, "12,345 /h", "12.3 K /h"], ["percent", 62.14, "62.14 %", "62.1 %"],
    ["money", 1_284_350, "€ 1,284,350 /h", "€ 1.28 M /h"], ["bytes", 3.2e15, "3.2 PB", "3.2 PB"], ["duration", 200, "3 min 20 s", "3 min"],
    ["time", NOW - 60, "14:31", "14:31"], ["date", NOW, "27 Nov", "27 Nov"], ["since", NOW - 3 * 3600, "3 h ago", "3 h ago"],
    ["until", NOW + 52 * 3600, "2 d 4 h", "2 d"], ["until", "2026-11-29T18:32", "2 d 4 h", "2 d"], ["date", "2026-12-31", "31 Dec", "31 Dec"],
  ]) {
    const description = { format, currency: "EUR", unit: "/h" };
    assert.deepEqual([line(value, description), line(value, description, true)], [wide, narrow], `${format}`);
  }
});

test("the parts of a value are apart", () => {
  assert.deepEqual(written(1_284_350, { format: "money", currency: "EUR" }, HERE, true), { before: "€", value: "1.28", unit: "M" });
  assert.deepEqual(written(1180, { unit: "ms" }, HERE, true), { before: "", value: "1.18", unit: "s" });
  assert.deepEqual(written("ok", { unit: "ms" }, HERE), { before: "", value: "ok", unit: "" });
});

test("the sign of a currency stands before its amount, also as a unit", () => {
  assert.deepEqual(["€", "$", "£", "k€", "kr"].map((unit) => line(-1284, { unit })), ["−€ 1,284", "−$ 1,284", "−£ 1,284", "−1,284 k€", "−1,284 kr"]);
  assert.equal(line(1_284_350, { unit: "€" }, true), "€ 1.28 M");
  assert.equal(line(5, { unit: "€", decimals: 2 }), "€ 5.00");
});

test("decimals are for all formats of numbers", () => {
  assert.equal(line(5, { decimals: 2, unit: "ms" }), "5.00 ms");
  assert.equal(line(62.14, { format: "percent", decimals: 0 }), "62 %");
  assert.equal(line(1000, { format: "money", currency: "EUR", decimals: 2 }), "€ 1,000.00");
  assert.equal(line(1_284_350, { decimals: 0, unit: "ms" }), "1,284,350 ms");
});

test("a value that does not suit the format is written plainly", () => {
  for (const format of ["number", "percent", "money", "bytes", "duration"]) assert.equal(line("n/a", { format, currency: "EUR", unit: "ms" }), "n/a");
  for (const format of ["time", "date", "since", "until"]) {
    assert.equal(line("soon", { format }), "soon");
    assert.equal(line(1e300, { format }), "1E300");
  }
  assert.equal(line(null, { format: "bytes" }), "—");
  assert.equal(line([1], { format: "bytes" }), "[1]");
  assert.equal(line(5, { format: "of a newer server" }), "5");
  assert.equal(line(5, { format: "toString" }), "5");
  assert.equal(line(5, { format: "money", currency: "a newer form" }), "a newer form 5");
  assert.equal(line(true, { format: "bytes" }), "yes");
  assert.equal(line(false, {}, false, { ...HERE, language: "de" }), "nein");
});

test("words are for numbers, texts, true and false", () => {
  const description = { words: { 0: "down", "0.5": "half", "-1": "gone", true: "open", ok: "fine", null: "?", "[0]": "?" }, unit: "°C" };
  for (const [value, word] of [[0, "down"], [-0, "down"], [0.5, "half"], [-1, "gone"], [true, "open"], ["ok", "fine"], ["0", "down"]]) {
    assert.equal(wordOf(value, description), word);
    assert.equal(line(value, description), word);
  }
  for (const value of [1, false, "True", null, [0], undefined, {}, "toString", "constructor"]) assert.equal(wordOf(value, description), null);
  assert.equal(line(21.5, description), "21.5 °C");
  assert.equal(wordOf("toString", {}), null);
});

test("long times are no kiloseconds, and long numbers with a unit have a larger one", () => {
  assert.equal(line(1_284_350, { unit: "ms" }), "21 min 24 s");
  assert.equal(line(-1_284_350, { unit: "ms" }), "−21 min 24 s");
  assert.equal(line(128_000, { unit: "ms" }), "128 s");
  assert.equal(line(12_345, { unit: "ms" }), "12,345 ms");
  assert.equal(line(12_345, { unit: "ms" }, true), "12.3 s");
  assert.equal(line(128_000, { unit: "W" }), "128 kW");
  assert.equal(line(128_000, { unit: "orders" }), "128 K orders");
  assert.equal(line(1e308, { unit: "ms" }), "1E305 s");
});

test("only numbers that are written as numbers can be drawn", () => {
  assert.ok(isAmount(5, {}) && isAmount(5, { format: "duration" }) && isAmount(1, { words: { 0: "down" } }));
  assert.ok(!isAmount(0, { words: { 0: "down" } }) && !isAmount(NOW, { format: "since" }) && !isAmount("5", {}) && !isAmount(null, {}));
  assert.ok(isTime(NOW, { format: "since" }) && isTime("2026-11-27", { format: "date" }));
  assert.ok(!isTime(NOW, {}) && !isTime("soon", { format: "since" }));
  assert.ok(isMoving({ format: "until" }) && !isMoving({ format: "duration" }) && !isMoving({}));
});

test("cells have whole numbers with all digits, and no unit", () => {
  const written = (value, description = {}) => plain(cell(value, description, HERE));
  for (const [value, text] of [
    [12_345_678, "12345678"], [9_007_199_254_740_993n, "9007199254740993"], [-3, "−3"], [3.14159, "3.142"], ["a", "a"], [true, "yes"], [null, "—"],
    ["2026-11-27T14:02:00+01:00", "14:02"], ["2026-11-27", "2026-11-27"], ["T+01:00", "T+01:00"], [[1], "[1]"],
  ]) assert.equal(written(value, { unit: "ms" }), text, `${value}`);
});

test("cells follow the words and the format of the stream", () => {
  const written = (value, description) => plain(cell(value, description, HERE));
  assert.equal(written(1, { words: { 1: "up" } }), "up");
  assert.equal(written(200, { format: "duration" }), "3:20");
  assert.equal(written(1284, { format: "money", currency: "EUR" }), "€ 1,284");
  assert.equal(written(9_007_199_254_740_993n, { format: "bytes" }), "9.01 PB");
  assert.equal(written("Espresso", { format: "money", currency: "EUR" }), "Espresso");
  assert.equal(written(5, { decimals: 2 }), "5.00");
  assert.equal(written("2026-11-27T14:02:00+01:00", { format: "since" }), "30 min ago");
});
