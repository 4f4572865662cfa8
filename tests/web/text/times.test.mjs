import assert from "node:assert/strict";
import { test } from "node:test";

import { oneLine } from "../../../web/text/numbers.js";
import { clock, date, duration, durationCell, durationParts, pastDay, since, until } from "../../../web/text/times.js";

/** Friday, 27 November 2026, 14:32 in Berlin. */
const NOW = Date.UTC(2026, 10, 27, 13, 32) / 1000;
const EN = { language: "en-GB", timezone: "Europe/Berlin" };
const DE = { ...EN, language: "de" };
const FR = { ...EN, language: "fr" };
const plain = (text) => text.replace(/[\u00a0\u202f]/g, " ");
const HOUR = 3600;
const DAY = 24 * HOUR;

test("durations have one or two units", () => {
  for (const [seconds, one, two] of [
    [-3, "0 s", "0 s"], [0.5, "0 s", "0 s"], [59.9, "59 s", "59 s"], [70, "70 s", "1 min 10 s"], [190, "3 min", "3 min 10 s"],
    [3600, "60 min", "1 h"], [3661, "61 min", "1 h 1 min"], [3 * HOUR, "3 h", "3 h"], [90_000, "1 d", "1 d 1 h"],
    [400_000 * DAY, "400 K d", "400 K d"],
  ]) assert.deepEqual([plain(duration(seconds, 1, EN)), plain(duration(seconds, 2, EN))], [one, two], `${seconds}`);
  assert.match(duration(1, 1, EN), /^\d\u00a0s$/, "one word");
  assert.equal(plain(duration(90_000, 2, FR)), "1 j 1 h");
});

test("durations as values are as exact as they are short", () => {
  const written = (seconds, narrow = false) => plain(oneLine(durationParts(seconds, EN, { narrow })));
  for (const [seconds, wide, narrow] of [
    [0, "0 s", "0 s"], [0.045, "45 ms", "45 ms"], [0.9996, "1 s", "1 s"], [1.1834, "1.18 s", "1.18 s"], [42, "42 s", "42 s"],
    [99.96, "1 min 40 s", "1 min"], [200, "3 min 20 s", "3 min"], [26 * HOUR, "1 d 2 h", "1 d"], [-200, "−3 min 20 s", "−3 min"], [-0.5, "−500 ms", "−500 ms"],
  ]) assert.deepEqual([written(seconds), written(seconds, true)], [wide, narrow], `${seconds}`);
  assert.deepEqual(durationParts(1.18, EN), { before: "", value: "1.18", unit: "s" });
});

test("durations in cells have digits below each other", () => {
  for (const [seconds, text] of [
    [0, "0:00"], [48, "0:48"], [200, "3:20"], [59.6, "1:00"], [3725, "1:02:05"], [DAY - 1, "23:59:59"], [26 * HOUR, "1 d 2 h"], [-5, "−0:05"], [-0.2, "0:00"],
  ]) assert.equal(plain(durationCell(seconds, EN)), text, `${seconds}`);
});

test("a time of day has its date if it is not today, by the clock of the wall", () => {
  assert.equal(clock(NOW, NOW, EN), "14:32");
  assert.equal(clock(NOW, NOW, { ...EN, timezone: "Asia/Tokyo" }), "22:32");
  assert.equal(clock(NOW - DAY, NOW, EN), "26 Nov 14:32");
  assert.equal(clock(NOW - DAY, NOW, DE), "26. Nov. 14:32");
  assert.equal(clock(1, NOW, EN), "1 Jan 1970");
  const midnight = Date.UTC(2026, 10, 27, 0, 30) / 1000;
  assert.equal(clock(midnight, NOW, EN), "01:30");
  assert.equal(clock(midnight, NOW, { ...EN, timezone: "America/New_York" }), "26 Nov 19:30");
  for (const odd of [1e300, NaN, undefined]) assert.equal(clock(odd, NOW, EN), "?");
});

test("dates have their year if it is another one", () => {
  assert.deepEqual([date(NOW, NOW, EN), date(NOW + 60 * DAY, NOW, EN)], ["27 Nov", "26 Jan 2027"]);
  const eve = Date.UTC(2026, 11, 31, 23, 30) / 1000; // New Year in Berlin
  assert.equal(date(eve, NOW, EN), "1 Jan 2027");
  assert.equal(date(eve, NOW, { ...EN, timezone: "UTC" }), "31 Dec");
  assert.equal(date(1e300, NOW, EN), "?");
});

test("since and until are never 0", () => {
  const said = (away) => [since(NOW + away, NOW, EN), until(NOW + away, NOW, EN)].map(plain);
  assert.deepEqual(said(-3 * HOUR), ["3 h ago", "3 h ago"]);
  assert.deepEqual(said(0), ["1 s ago", "1 s ago"]);
  assert.deepEqual(said(-0.2), ["1 s ago", "1 s ago"]);
  assert.deepEqual(said(0.2), ["in 1 s", "1 s"]);
  assert.deepEqual(said(52 * HOUR), ["in 2 d", "2 d 4 h"]);
  assert.equal(plain(until(NOW + 52 * HOUR, NOW, EN, { narrow: true })), "2 d");
  assert.equal(plain(since(NOW - 3 * HOUR, NOW, DE)), "vor 3 h");
  assert.equal(plain(since(NOW - 50 * HOUR, NOW, FR)), "il y a 2 j");
});

test("a past day has the name that people give it", () => {
  assert.deepEqual([1, 7, 28, 364].map((days) => pastDay(days, NOW, EN)), ["yesterday", "last Friday", "30 Oct", "28 Nov 2025"]);
  assert.deepEqual([1, 7].map((days) => pastDay(days, NOW, DE)), ["gestern", "letzter Freitag"]);
  assert.deepEqual([1, 7].map((days) => pastDay(days, NOW, FR)), ["hier", "vendredi dernier"]);
  const saturday = Date.UTC(2026, 10, 27, 23, 30) / 1000; // 00:30 in Berlin
  assert.equal(pastDay(7, saturday, EN), "last Saturday");
  assert.equal(pastDay(7, saturday, EN, { narrow: true }), "last Sat");
});
