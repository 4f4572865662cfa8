import assert from "node:assert/strict";
import { test } from "node:test";

import { bytesParts, exact, moneyParts, number, oneLine, scaledParts } from "../../../web/text/numbers.js";

const EN = { language: "en" };
const DE = { language: "de" };
const FR = { language: "fr" };
/** Narrow spaces as plain ones: the eye cannot tell them apart in this file. */
const plain = (text) => text.replaceAll("\u202f", " ");

test("a number has at most five significant digits, and a true minus", () => {
  for (const [value, text] of [
    [0, "0"], [-0, "0"], [7, "7"], [12_345, "12,345"], [99_999, "99,999"], [0.5, "0.5"], [3.14159, "3.142"], [21.4375, "21.44"],
    [1234.56, "1,235"], [-12.5, "−12.5"], [0.00012345, "0.0001235"], [128_431, "128.4 K"], [1_284_350.25, "1.284 M"],
    [-5.5e9, "−5.5 bn"], [2.5e12, "2.5 tn"], [1.5e-7, "1.5E−7"], [1e300, "1E300"], [-1e308, "−1E308"], [99_999.9, "100 K"],
  ]) assert.equal(plain(number(value, EN)), text, `${value}`);
});

test("groups, points and large numbers are those of the language", () => {
  assert.equal(number(12_345, FR), "12\u202f345");
  assert.equal(number(12_345, { language: "sv" }), "12\u202f345"); // Intl writes U+00A0
  assert.deepEqual([12_345.6, 0.5, 1_284_350, 128_431].map((value) => plain(number(value, DE))), ["12.346", "0,5", "1,284 Mio.", "128.431"]);
  assert.equal(plain(number(-5.5e9, FR)), "−5,5 Md");
});

test("a narrow number has three digits", () => {
  const narrow = (value, place) => plain(number(value, place, { narrow: true }));
  assert.deepEqual([412, 12_345, 128_431, 1_284_350, 3.14159].map((value) => narrow(value, EN)), ["412", "12.3 K", "128 K", "1.28 M", "3.14"]);
  assert.equal(narrow(12_345, DE), "12.345");
});

test("decimals are as many as configured, also of zero and of a million", () => {
  const written = (value, decimals) => number(value, EN, { decimals });
  assert.deepEqual([written(5, 2), written(1_284_350.256, 2), written(0.05, 0), written(1e-9, 1)], ["5.00", "1,284,350.26", "0", "0.0"]);
  assert.equal(written(-0.001, 2), "0.00");
  assert.equal(number(-0.001, { language: "ar-EG" }, { decimals: 1 }), number(0, { language: "ar-EG" }, { decimals: 1 }));
  assert.equal(written(1e308, 2), "1E308");
});

test("exact numbers have all digits, ungrouped", () => {
  assert.deepEqual(
    [12_345_678, -7, -0, 9_007_199_254_740_991, 9_007_199_254_740_993n, 1e20, 0.1, -0.5].map((value) => exact(value, EN)),
    ["12345678", "−7", "0", "9007199254740991", "9007199254740993", "100000000000000000000", "0.1", "−0.5"],
  );
  assert.equal(exact(0.5, DE), "0,5");
  assert.equal(exact(1e308, EN), "1e308");
  assert.equal(exact(1.5e-7, EN), "1.5e−7");
});

test("money has its currency before it, and cents below a thousand", () => {
  const money = (value, currency = "EUR", place = EN, precision = {}) => plain(oneLine(moneyParts(value, currency, place, precision)));
  assert.deepEqual([3.2, 412_380, 999.99, 1000.4, 0].map((value) => money(value)), ["€ 3.20", "€ 412,380", "€ 999.99", "€ 1,000", "€ 0"]);
  assert.deepEqual([-5, -3.2, -0.001].map((value) => money(value)), ["−€ 5", "−€ 3.20", "€ 0.00"]);
  assert.deepEqual(["USD", "GBP", "JPY", "CHF", "XYZ"].map((code) => money(5.5, code)), ["$ 5.50", "£ 5.50", "¥ 6", "CHF 5.50", "XYZ 5.50"]);
  assert.equal(money(412_380.5, "EUR", DE), "€ 412.381");
  assert.equal(money(5.5, "USD", FR), "$ 5,50");
  assert.equal(money(1_284_350, "EUR", EN, { narrow: true }), "€ 1.28 M");
  assert.equal(money(1_284_350, "EUR", DE, { narrow: true }), "€ 1,28 Mio.");
  assert.equal(money(12_345.678, "EUR", EN, { decimals: 2 }), "€ 12,345.68");
  assert.equal(money(1e308), "€ 1E308");
  assert.deepEqual(moneyParts(-1.5e6, "EUR", EN, { narrow: true }), { before: "−€", value: "1.5", unit: "M" });
});

test("bytes have three digits", () => {
  const bytes = (value, place = EN, precision = {}) => plain(oneLine(bytesParts(value, place, precision)));
  for (const [value, text] of [
    [0, "0 B"], [512, "512 B"], [1000, "1 kB"], [999_499, "999 kB"], [999_500, "1 MB"], [3.2e15, "3.2 PB"], [-1.18e9, "−1.18 GB"],
    [1e24, "1E6 EB"],
  ]) assert.equal(bytes(value).replace("1 M EB", "1E6 EB"), text, `${value}`);
  assert.equal(bytes(3.25e15, DE, { decimals: 1 }), "3,3 PB");
  assert.equal(bytes(512, EN, { decimals: 1 }), "512 B");
  assert.equal(bytes(3.2e15, FR), "3,2 Po");
});

test("units that take prefixes are scaled", () => {
  const scaled = (value, unit) => {
    const parts = scaledParts(value, unit, EN);
    return parts && plain(oneLine(parts));
  };
  for (const [value, unit, text] of [
    [1180, "ms", "1.18 s"], [1180, "µs", "1.18 ms"], [1180, "\u03bcs", "1.18 ms"], [128_000, "W", "128 kW"], [3200, "TB", "3.2 PB"],
    [1_500_000, "bit/s", "1.5 Mbit/s"], [2500, "s", "2.5 K s"], [12, "ms", "12 ms"], [5000, "min", null], [5000, "m", null],
    [5000, "/h", null], [5000, "€", null], [5000, "", null],
  ]) assert.equal(scaled(value, unit), text, `${value} ${unit}`);
});
