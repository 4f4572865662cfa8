import assert from "node:assert/strict";
import { test } from "node:test";

import { roundTimes } from "../../../web/draw/hours.js";

const at = (text) => Date.parse(text) / 1000;
/** The clock in a zone at each round time. */
function shown(from, to, most, zone) {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "short" });
  return roundTimes(at(from), at(to), most, { timezone: zone }).map(({ time }) => format.format(time * 1000).slice(5));
}

test("whole hours, as many as there is room for", () => {
  assert.deepEqual(shown("2026-11-27T05:32Z", "2026-11-27T13:32Z", 4, "Europe/Berlin"), ["11-27 08:00", "11-27 10:00", "11-27 12:00", "11-27 14:00"]);
  assert.deepEqual(shown("2026-11-27T05:32Z", "2026-11-27T13:32Z", 2, "Europe/Berlin"), ["11-27 08:00", "11-27 12:00"]);
});

test("a zone of half hours has its own whole hours", () => {
  assert.deepEqual(shown("2026-11-27T05:10Z", "2026-11-27T09:10Z", 4, "Asia/Kolkata"), ["11-27 11:00", "11-27 12:00", "11-27 13:00", "11-27 14:00"]);
});

test("minutes and seconds of a short window", () => {
  assert.deepEqual(shown("2026-11-27T12:00:30Z", "2026-11-27T12:10:30Z", 4, "UTC"), ["11-27 12:05", "11-27 12:10"]);
  const ticks = roundTimes(at("2026-11-27T12:00:00Z") + 3, at("2026-11-27T12:00:40Z"), 4, { timezone: "UTC" });
  assert.deepEqual(ticks.map(({ time, finest }) => [time % 60, finest]), [[10, "second"], [20, "second"], [30, "second"], [40, "second"]]);
});

test("days and weeks begin at midnight in the zone, weeks on Monday", () => {
  assert.deepEqual(shown("2026-11-19T12:00Z", "2026-11-27T12:00Z", 8, "Europe/Berlin").slice(0, 2), ["11-20 00:00", "11-21 00:00"]);
  assert.deepEqual(shown("2026-10-26T12:00Z", "2026-11-27T12:00Z", 5, "Europe/Berlin"), ["11-02 00:00", "11-09 00:00", "11-16 00:00", "11-23 00:00"]);
});

test("months begin on their first day", () => {
  assert.deepEqual(shown("2026-01-15T12:00Z", "2026-11-27T12:00Z", 4, "Europe/Berlin"), ["04-01 00:00", "07-01 00:00", "10-01 00:00"]);
  assert.equal(roundTimes(0, at("2026-11-27T12:00Z"), 5, { timezone: "UTC" }).length, 5);
});

test("an hour that a day leaves out has no mark, and the others keep their places", () => {
  assert.deepEqual(shown("2026-03-29T00:30Z", "2026-03-29T04:30Z", 8, "Europe/Berlin"), [
    "03-29 01:30", "03-29 03:00", "03-29 03:30", "03-29 04:00", "03-29 04:30", "03-29 05:00", "03-29 05:30", "03-29 06:00", "03-29 06:30",
  ]);
  assert.deepEqual(shown("2026-10-24T22:00Z", "2026-10-25T04:00Z", 6, "Europe/Berlin"), [
    "10-25 00:00", "10-25 01:00", "10-25 02:00", "10-25 03:00", "10-25 04:00", "10-25 05:00",
  ]);
  assert.deepEqual(shown("2026-03-28T12:00Z", "2026-03-30T12:00Z", 4, "Europe/Berlin"), ["03-29 00:00", "03-29 12:00", "03-30 00:00", "03-30 12:00"]);
});

test("no room or no time gives nothing", () => {
  assert.deepEqual(roundTimes(5, 5, 4, { timezone: "UTC" }), []);
  assert.deepEqual(roundTimes(5, 500, 0, { timezone: "UTC" }), []);
});
