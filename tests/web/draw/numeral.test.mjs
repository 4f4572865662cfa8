import assert from "node:assert/strict";
import { test } from "node:test";

import { emsOf, fitNumeral, fitText, isUnitApart } from "../../../web/draw/numeral.js";

const fit = (value, width, height, pictured = true, unit = "") => fitNumeral({ value, unit }, { width, height: height - 3.2 }, pictured);

test("a larger box has a larger numeral", () => {
  const steps = [[26, 10], [56, 13], [56, 18], [85, 26], [85, 45], [172, 87]].map(([width, height]) => fit("52", width, height).step);
  assert.deepEqual(steps, [5.6, 8, 11, 17, 26, 40]);
});

test("the picture is beside the numeral or below it, wherever there is room", () => {
  assert.equal(fit("17", 26, 10).shape, "beside");
  assert.equal(fit("412,380", 85, 18).shape, "sided");
  assert.equal(fit("412,380", 56, 41).shape, "below");
  assert.equal(fit("1,234,567", 26, 10).shape, "bare");
  assert.equal(fit("17", 26, 10, false).shape, "bare");
});

test("a numeral beside its picture grows only with room for a bar, as that of a tile with a goal does", () => {
  assert.deepEqual([12.7, 13.6].map((height) => fit("12", 37, height)), [5.6, 8].map((step) => ({ step, shape: "beside" })));
});

test("on a lower wall, a numeral is smaller in its arrangement, and a word leaves room for its descenders", () => {
  const steps = ["12", "yes"].map((value) => fitNumeral({ value }, { width: 26, height: 5.5, full: 6.8 }, true).step.toFixed(1));
  assert.deepEqual(steps, ["5.1", "4.4"]);
});

test("a word leaves room for its descenders also where it takes all of the height", () => {
  const steps = ["59", "1E−9", "OK", "open", "été"].map((value) => fitNumeral({ value }, { width: 40, height: 11.1 }, false).step.toFixed(1));
  assert.deepEqual(steps, ["11.0", "11.0", "11.0", "9.6", "9.6"]);
});

test("a hero's numeral leaves two thirds of the width to its picture", () => {
  for (const value of ["52", "177", "1,284"]) assert.deepEqual(fit(value, 99, 40.6), { step: 17, shape: "sided" });
});

test("a numeral that is too wide drops a step, and is never smaller than its unit", () => {
  assert.ok(fit("52", 56, 25).step > fit("1,234,567", 56, 25).step);
  for (const unit of ["", "requests/s", "x".repeat(24)]) {
    const { step } = fit("−1.798E308", 20, 9, true, unit);
    assert.ok(step >= 2.6 && step * emsOf("−1.798E308") <= 20.01, `${step}`);
  }
});

test("a long unit does not shrink its numeral below what three letters would", () => {
  assert.equal(fit("1,284", 26, 10, true, "requests/s").step, fit("1,284", 26, 10, true, "r/s").step);
});

test("a longer text has the largest step at which all of it fits", () => {
  assert.equal(fitText("1E308", { width: 56, height: 9 }, [17, 11, 8, 5.6]).step, 5.6, "a line must fit the height");
  assert.equal(fitText("Bring your badge.", { width: 56, height: 9.8 }).step, 5.6);
  assert.ok(fitText("word ".repeat(60), { width: 56, height: 21.8 }).step < 4);
  const { step, lines } = fitText("word ".repeat(600), { width: 26, height: 6.8 });
  assert.deepEqual([step, lines], [2.7, 2]);
});

test("digits are as wide as each other, and broad characters wider", () => {
  assert.equal(emsOf("111"), emsOf("888"));
  assert.ok(emsOf("語") > emsOf("8") && emsOf("i") < emsOf("8") && emsOf("\u202f") < 0.3);
});

test("words are as wide as Inter draws them, and seldom counted narrower", () => {
  for (const [word, ems] of Object.entries({ Compressor: 5.53, Kopenhagen: 5.73, CHECKOUT: 5.47, until: 1.9 })) {
    assert.ok(emsOf(word) > 0.98 * ems && emsOf(word) < 1.12 * ems, `${word}: ${emsOf(word)}`);
  }
});

test("a unit stands apart where only its beginning has room", () => {
  const width = 26;
  const apart = (value, unit) => {
    const numeral = { value, unit };
    return isUnitApart(numeral, fitNumeral(numeral, { width, height: 10 }, true), { width });
  };
  assert.equal(apart("0.000423", "mbar·l/s"), true);
  assert.equal(apart("23.4", "°C"), false);
  assert.equal(apart("42", "orders"), false);
  assert.equal(apart("123,456,789", "km"), false); // the numeral becomes smaller
});
