/** What is written beside lines. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { point, pointsOf } from "../../../web/draw/points.js";
import { axisText, changeAgainst, changeOf, daysOf, inOrder, namesBeside, scaleText, scaleTexts } from "../../../web/draw/captions.js";

const NOW = Date.UTC(2026, 10, 27, 13, 32) / 1000;
const HOUR = 3600;
const place = { language: "en", timezone: "Europe/Berlin", now: NOW };
const german = { ...place, language: "de" };

/** A line of these values, one each ten minutes, the last one now. */
const line = (...values) => pointsOf(values.map((_, i) => NOW - 600 * (values.length - 1 - i)), values);
const change = (points, description = {}, at = place) => Object.values(changeOf(points, description, at) ?? {}).join(" ");
const against = (value, former, description = {}, at = place) => {
  return Object.values(changeAgainst(value, former === null ? null : [point(NOW - 60, former)], 7, description, at) ?? {}).join(" ");
};

test("names beside each other lack what all of them begin with", () => {
  assert.deepEqual(namesBeside(["Checkout p50", "Checkout p95"]), ["p50", "p95"]);
  assert.deepEqual(namesBeside(["load.web-1", "load.web-2", "load.database"]), ["web-1", "web-2", "database"]);
  assert.deepEqual(namesBeside(["load.web-1", "load.web-2"]), ["web-1", "web-2"]);
  assert.deepEqual(namesBeside(["web", "webshop"]), ["web", "webshop"]);
  assert.deepEqual(namesBeside(["load.web", "load."]), ["load.web", "load."], "nothing would be left of one");
  assert.deepEqual(namesBeside(["load.web"]), ["load.web"]);
  assert.deepEqual(namesBeside(["same", "same"]), ["same", "same"]);
});

test("a number of the scale is short", () => {
  assert.equal(scaleText(500_000, { format: "money", currency: "EUR" }, place), "500\u202fK");
  assert.equal(scaleText(0, { format: "bytes" }, place), "0");
  assert.equal(scaleText(2e9, { format: "bytes" }, place), "2\u202fGB");
  assert.equal(scaleText(23.5, { unit: "°C" }, german), "23,5");
});

test("times of the axis are as exact as their step", () => {
  const time = Date.UTC(2026, 10, 23, 7) / 1000;
  const texts = ["second", "minute", "day", "week", "month"].map((finest) => axisText({ time, finest }, place));
  assert.deepEqual(texts, ["08:00:00", "08:00", "Mon", "Nov 23", "Nov"]);
});

test("a change is told over an hour, or over what is known", () => {
  assert.equal(change(line(1, 2, 3, 5, 8, 13, 21, 34)), "+32 in 1\u00a0h");
  assert.equal(change(line(20, 5)), "\u221215 in 10\u00a0min");
  assert.equal(change(line(23.4, 23.2), { unit: "°C" }), "\u22120.2 in 10\u00a0min");
  assert.equal(change(line(100, 100)), "");
  assert.equal(change(pointsOf([NOW - 60, NOW], [1, 2])), "", "a minute is too short");
  assert.equal(change([]), "");
});

test("a change is told between two known numbers, over a gap as well", () => {
  assert.equal(change(line(1, NaN, 5, 9)), "+8 in 30\u00a0min");
  assert.equal(change(line(NaN, NaN, 5, 9)), "+4 in 10\u00a0min");
  assert.equal(change(line(7, 5, NaN)), "", "nothing is known now");
  assert.equal(change([]), "");
});

test("a count of today has not fallen by yesterday's, but risen since its day began", () => {
  assert.equal(change(line(80_000, 82_000, 83_000, 84_000, 3, 25)), "+22 in 10\u00a0min");
});

test("a difference from last week is a number, or a share of money and of large numbers", () => {
  assert.equal(against(52, 44), "+8 on last Friday");
  assert.equal(against(412_380, 396_200, { format: "money", currency: "EUR" }), "+4.1\u202f% on last Friday");
  assert.equal(against(19, 44.3), "\u221225 on last Friday", "a mean is no more exact than the value");
  assert.equal(against(44, 44), "±0 on last Friday");
  assert.equal(against(1500, 1000), "+50\u202f% on last Friday");
  assert.equal(against(412_380, 396_200, { format: "money", currency: "EUR" }, german), "+4,1\u202f% gegenüber letztem Freitag");
});

test("nothing is said where nothing is known", () => {
  assert.equal(against(52, null), "");
  assert.equal(against(52, NaN), "");
  assert.equal(against(NaN, 44), "");
  assert.equal(against(2000, 0, { format: "money", currency: "EUR" }), "+€\u202f2,000 on last Friday", "no share of nothing");
});

test("configured times", () => {
  assert.deepEqual(["7d", 604_800, undefined, "", 0, null].map(daysOf), [7, 7, 0, 0, 0, 0]);
});

test("a comparison in a narrow column has a short day", () => {
  assert.equal(changeAgainst(5, [point(NOW - 60, 3)], 7, {}, place, { narrow: true })?.text, "on last Fri");
});

test("the numbers of a scale have all digits up to 10,000", () => {
  const texts = (...ticks) => ticks.map(scaleTexts({ ticks }, {}, place));
  assert.deepEqual(texts(50, 800, 2000), ["50", "800", "2,000"]);
  assert.deepEqual(texts(5000, 10_000), ["5\u202fK", "10\u202fK"]);
});

test("the numbers of a scale can be told apart", () => {
  const texts = (...ticks) => ticks.map(scaleTexts({ bottom: 0, top: 1, log: false, ticks }, {}, place));
  assert.deepEqual(texts(0, 250_000, 500_000), ["0", "250\u202fK", "500\u202fK"]);
  assert.deepEqual(texts(123_456, 123_456.5, 123_457), ["123,456.0", "123,456.5", "123,457.0"]);
});

test("quantiles are in the order of their names' last numbers", () => {
  const ordered = (...labels) => inOrder(labels, labels);
  assert.deepEqual(ordered("p99", "p50", "p99.9", "p95"), ["p50", "p95", "p99", "p99.9"]);
  assert.deepEqual(ordered("shop2.p95", "shop2.p50"), ["shop2.p50", "shop2.p95"]);
  assert.deepEqual(ordered("worst", "median", "p95"), ["worst", "median", "p95"]);
});

test("a change that is zero in the decimals of the value is none", () => {
  const points = pointsOf([1000, 4000], [71.44, 71.42]);
  assert.equal(changeOf(points, { decimals: 1 }, { now: 4600 }), null);
  assert.equal(changeOf(points, {}, { now: 4600 })?.strong, "−0.02");
});
