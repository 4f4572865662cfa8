import assert from "node:assert/strict";
import { test } from "node:test";

import { leftUntil, spanOf, timeOf } from "../../../web/text/moments.js";

const BERLIN = { timezone: "Europe/Berlin" };
const utc = (text) => Date.parse(`${text}Z`) / 1000;

test("a value holds a time as seconds or as a text, with or without an offset", () => {
  for (const [value, text] of [
    [1_795_786_320, "2026-11-27T13:32"], ["2026-11-27T14:32:00+01:00", "2026-11-27T13:32"], ["2026-11-27 14:32:00.5+0100", "2026-11-27T13:32:00.5"],
    ["2026-11-27T13:32Z", "2026-11-27T13:32"], ["2026-11-27T14:32", "2026-11-27T13:32"], ["2026-07-27 14:32", "2026-07-27T12:32"],
    ["2026-11-27", "2026-11-26T23:00"], ["2026-03-29T02:30", "2026-03-29T01:30"], ["2026-10-25T02:30", "2026-10-25T00:30"],
  ]) assert.equal(timeOf(value, BERLIN), utc(text), `${value}`);
});

test("anything else is no time", () => {
  for (const value of ["soon", "", "14:32", "2026-13-01", "2026-11-27T25:00", "27.11.2026", 1e300, NaN, true, null, undefined, {}, ["2026-11-27"]]) {
    assert.equal(timeOf(value, BERLIN), null, `${JSON.stringify(value)}`);
  }
});

test("the way to a goal is in days, times, or times of every day", () => {
  const now = utc("2026-11-27T13:32");
  const span = (from, by, place = BERLIN) => spanOf({ from, by }, { ...place, now });
  assert.deepEqual(span("2026-10-01", "2026-12-31"), { from: utc("2026-09-30T22:00"), by: utc("2026-12-31T23:00") });
  assert.deepEqual(span("2026-10-01T08:00:00", "2026-12-31T18:00:00"), { from: utc("2026-10-01T06:00"), by: utc("2026-12-31T17:00") });
  assert.deepEqual(span("2026-10-01T08:00:00+00:00", "2026-12-31T18:00:00+00:00"), { from: utc("2026-10-01T08:00"), by: utc("2026-12-31T18:00") });
  assert.deepEqual(span("08:00:00", "18:00:00"), { from: utc("2026-11-27T07:00"), by: utc("2026-11-27T17:00") });
  assert.deepEqual(span("08:00:00", "18:00:00", { timezone: "Pacific/Auckland" }).by, utc("2026-11-28T05:00")); // tomorrow already
  assert.deepEqual(span(undefined, "18:00"), { from: null, by: utc("2026-11-27T17:00") });
  assert.equal(span("2026-10-01", undefined), null);
  assert.equal(span(undefined, "whenever"), null);
});

test("what is left until a time is a share of the time since its begin", () => {
  const place = { ...BERLIN, now: utc("2026-11-27T13:00") };
  assert.equal(leftUntil("2026-11-27T20:00", { from: "08:00" }, place), 0.5);
  assert.equal(leftUntil("2026-11-27T12:00", { from: "08:00" }, place), 0);
  assert.equal(leftUntil("2026-11-28", { from: "2026-11-28T06:00" }, place), null);
  assert.equal(leftUntil("soon", { from: "08:00" }, place), null);
  assert.equal(leftUntil("2026-11-28", {}, place), null);
});
