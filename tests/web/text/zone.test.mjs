import assert from "node:assert/strict";
import { test } from "node:test";

import { comparable, daysAgo, timesAt, wallClock } from "../../../web/text/zone.js";

const BERLIN = { timezone: "Europe/Berlin" };
const NEW_YORK = { timezone: "America/New_York" };
const LORD_HOWE = { timezone: "Australia/Lord_Howe" };
const TOKYO = { timezone: "Asia/Tokyo" };
const SANTIAGO = { timezone: "America/Santiago" };
const SYDNEY = { timezone: "Australia/Sydney" };
const HOUR = 3600;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;

/** A time by its UTC text, in seconds. */
const utc = (text) => Date.parse(`${text}Z`) / 1000;
/** What a clock shows, as a text. */
const shown = (time, place) => new Date(wallClock(time, place) * 1000).toISOString().slice(0, 16).replace("T", " ");
/** The times at which a clock shows a text. */
const at = (text, place) => timesAt(utc(text.replace(" ", "T")), place);
/** The same time some days ago as a text: what the clock showed, and how many hours ago that is. */
const ago = (time, days, place) => {
  const then = daysAgo(time, days, place);
  return then === null ? null : `${shown(then, place)}, ${(time - then) / HOUR} h`;
};

test("a clock shows the time of its zone, fractions included", () => {
  assert.equal(shown(utc("2026-11-27T13:32"), BERLIN), "2026-11-27 14:32");
  assert.equal(shown(utc("2026-07-27T12:32"), BERLIN), "2026-07-27 14:32");
  assert.equal(shown(utc("2026-11-27T00:00"), LORD_HOWE), "2026-11-27 11:00");
  assert.equal(shown(utc("2026-06-27T00:00"), LORD_HOWE), "2026-06-27 10:30");
  assert.equal(wallClock(0.25, TOKYO), 9 * HOUR + 0.25);
  assert.equal(wallClock(-0.25, TOKYO), 9 * HOUR - 0.25);
});

test("a clock shows most times once, some twice and some never", () => {
  assert.deepEqual(at("2026-11-27 14:32", BERLIN), [utc("2026-11-27T13:32")]);
  assert.deepEqual(at("2026-03-29 02:30", BERLIN), []);
  assert.deepEqual(at("2026-10-25 02:30", BERLIN), [utc("2026-10-25T00:30"), utc("2026-10-25T01:30")]);
  assert.deepEqual(at("2026-03-08 02:30", NEW_YORK), []);
  assert.deepEqual(at("2026-11-01 01:30", NEW_YORK), [utc("2026-11-01T05:30"), utc("2026-11-01T06:30")]);
  assert.deepEqual(at("2026-10-04 02:15", LORD_HOWE), []);
  assert.deepEqual(at("2026-04-05 01:45", LORD_HOWE), [utc("2026-04-04T14:45"), utc("2026-04-04T15:15")]);
  assert.deepEqual(at("2011-12-30 12:00", { timezone: "Pacific/Apia" }), []); // Samoa left out this day
});

test("without a clock change, a week ago is a week ago", () => {
  for (const place of [BERLIN, NEW_YORK, LORD_HOWE, TOKYO, SANTIAGO, SYDNEY, { timezone: "UTC" }]) {
    for (const text of ["2026-07-15T00:00", "2026-07-15T13:32:10.5", "2026-12-15T23:59:59"]) {
      assert.equal(daysAgo(utc(text), 7, place), utc(text) - WEEK, `${place.timezone} ${text}`);
    }
  }
  // Tokyo never changes its clocks, on no day of any year.
  for (let time = utc("2026-01-08T00:00"); time < utc("2027-01-01T00:00"); time += 6 * HOUR) assert.equal(daysAgo(time, 7, TOKYO), time - WEEK);
});

/** Every hour of a day that has `hours` of them: what the same time a week ago is, compared with what a person would say. */
function alignsHourByHour(midnight, hours, place, clockOf) {
  for (let hour = 0; hour < hours; hour += 0.5) {
    const time = midnight + hour * HOUR;
    const expected = clockOf(hour); // what the clock shows on this day
    assert.equal(shown(time, place).slice(11), expected);
    const then = daysAgo(time, 7, place);
    assert.equal(then === null ? null : shown(then, place).slice(11), expected, `${place.timezone} ${hour}`);
    const days = (wallClock(midnight, place) - wallClock(then ?? midnight - WEEK, place)) / DAY;
    assert.equal(Math.ceil(days), 7);
  }
}

const clockText = (hour) => `${String(Math.floor(hour)).padStart(2, "0")}:${hour % 1 ? "30" : "00"}`;

test("a day of 23 hours aligns with its week before, hour by hour", () => {
  alignsHourByHour(at("2026-03-29 00:00", BERLIN)[0], 23, BERLIN, (hour) => clockText(hour < 2 ? hour : hour + 1));
  alignsHourByHour(at("2026-03-08 00:00", NEW_YORK)[0], 23, NEW_YORK, (hour) => clockText(hour < 2 ? hour : hour + 1));
  alignsHourByHour(at("2026-10-04 00:00", SYDNEY)[0], 23, SYDNEY, (hour) => clockText(hour < 2 ? hour : hour + 1));
  alignsHourByHour(at("2026-10-04 00:00", LORD_HOWE)[0], 23.5, LORD_HOWE, (hour) => clockText(hour < 2 ? hour : hour + 0.5));
});

test("a day of 25 hours aligns with its week before: the hour that comes twice is compared twice with the same one", () => {
  alignsHourByHour(at("2026-10-25 00:00", BERLIN)[0], 25, BERLIN, (hour) => clockText(hour < 3 ? hour : hour - 1));
  alignsHourByHour(at("2026-11-01 00:00", NEW_YORK)[0], 25, NEW_YORK, (hour) => clockText(hour < 2 ? hour : hour - 1));
  alignsHourByHour(at("2026-04-05 00:00", SYDNEY)[0], 25, SYDNEY, (hour) => clockText(hour < 3 ? hour : hour - 1));
  alignsHourByHour(at("2026-04-05 00:00", LORD_HOWE)[0], 24.5, LORD_HOWE, (hour) => clockText(hour < 2 ? hour : hour - 0.5));
});

test("a week after a clock change: what was left out is compared with nothing", () => {
  assert.equal(ago(utc("2026-04-05T00:30"), 7, BERLIN), null); // 02:30, which 29 March did not have
  assert.equal(ago(utc("2026-04-04T23:30"), 7, BERLIN), "2026-03-29 01:30, 167 h");
  assert.equal(ago(utc("2026-04-05T01:00"), 7, BERLIN), "2026-03-29 03:00, 168 h");
  assert.equal(ago(utc("2026-03-15T06:30"), 7, NEW_YORK), null);
  assert.equal(ago(utc("2026-10-10T15:15"), 7, LORD_HOWE), null); // 02:15 on the 11th
  assert.equal(ago(utc("2026-10-10T15:30"), 7, LORD_HOWE), "2026-10-04 02:30, 168 h");
});

test("a week after a clock change: of an hour that came twice, the first counts", () => {
  assert.equal(ago(utc("2026-11-01T01:30"), 7, BERLIN), "2026-10-25 02:30, 169 h");
  assert.equal(ago(utc("2026-11-08T06:30"), 7, NEW_YORK), "2026-11-01 01:30, 169 h");
  // Both days have the hour twice: the first is compared with the first, and the second with the second.
  assert.equal(ago(utc("2026-10-25T00:30"), 364, BERLIN), "2025-10-26 02:30, 8736 h");
  assert.equal(ago(utc("2026-10-25T01:30"), 364, BERLIN), "2025-10-26 02:30, 8736 h");
});

test("days are counted by the calendar, over months, years and both hemispheres", () => {
  assert.equal(ago(utc("2026-03-01T12:00"), 1, BERLIN), "2026-02-28 13:00, 24 h");
  assert.equal(ago(utc("2028-03-01T12:00"), 1, BERLIN), "2028-02-29 13:00, 24 h");
  assert.equal(ago(utc("2026-07-01T12:00"), 182, BERLIN), "2025-12-31 14:00, 4367 h");
  assert.equal(ago(utc("2026-09-06T12:00"), 1, SANTIAGO), "2026-09-05 09:00, 23 h");
  // In Santiago the clocks change at midnight: 6 September begins at 01:00.
  assert.equal(ago(utc("2026-09-13T03:30"), 7, SANTIAGO), null);
});

test("a period falls into parts that move by the same time", () => {
  const day = (text) => at(text, BERLIN)[0];
  const spring = comparable(day("2026-03-29 00:00"), day("2026-03-30 00:00"), 7, BERLIN);
  assert.deepEqual(spring, [
    { from: utc("2026-03-28T23:00"), to: utc("2026-03-29T01:00"), shift: WEEK },
    { from: utc("2026-03-29T01:00"), to: utc("2026-03-29T22:00"), shift: WEEK - HOUR },
  ]);
  const after = comparable(day("2026-04-05 00:00"), day("2026-04-06 00:00"), 7, BERLIN);
  assert.deepEqual(after, [
    { from: utc("2026-04-04T22:00"), to: utc("2026-04-05T00:00"), shift: WEEK - HOUR },
    { from: utc("2026-04-05T01:00"), to: utc("2026-04-05T22:00"), shift: WEEK },
  ]);
  const [from, to] = [utc("2026-07-01T00:07:30.5"), utc("2026-07-01T00:38")];
  assert.deepEqual(comparable(from, to, 7, LORD_HOWE), [{ from, to, shift: WEEK }]);
  assert.deepEqual(comparable(to, from, 7, BERLIN), []);
  const narrow = comparable(utc("2026-10-03T15:20"), utc("2026-10-03T15:40"), 1, LORD_HOWE);
  assert.deepEqual(narrow.map(({ shift }) => shift / HOUR), [24, 23.5]);
});

test("parts and single times say the same", () => {
  for (const [place, from] of [[BERLIN, "2026-10-24T00:00"], [NEW_YORK, "2026-03-07T00:00"], [LORD_HOWE, "2026-04-03T00:00"], [SANTIAGO, "2026-09-05T00:00"]]) {
    for (const days of [1, 7]) {
      const begin = utc(from);
      const parts = comparable(begin, begin + 10 * DAY, days, place);
      for (let time = begin; time < begin + 10 * DAY; time += 7 * 60) {
        const part = parts.find((one) => one.from <= time && time < one.to);
        assert.equal(part ? time - part.shift : null, daysAgo(time, days, place), `${place.timezone} ${days} ${new Date(time * 1000).toISOString()}`);
      }
    }
  }
});
