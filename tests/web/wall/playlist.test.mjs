import assert from "node:assert/strict";
import { test } from "node:test";

import { brightnessAt, isNow, momentOf, turnAt } from "../../../web/wall/playlist.js";

const [MON, FRI, SAT, SUN] = [0, 4, 5, 6];
const at = (day, hour, minute = 0) => ({ day, minute: 60 * hour + minute });
const seconds = (text) => Date.parse(text) / 1000;
const nobody = () => false;

test("a moment is that of the time zone", () => {
  const now = seconds("2026-11-29T23:30:00Z"); // a Sunday
  assert.deepEqual(momentOf(now, "UTC"), at(SUN, 23, 30));
  assert.deepEqual(momentOf(now, "Europe/Berlin"), at(MON, 0, 30));
  assert.deepEqual(momentOf(now, "America/New_York"), at(SUN, 18, 30));
  assert.deepEqual(momentOf(seconds("2026-03-29T01:30:00Z"), "Europe/Berlin"), at(SUN, 3, 30), "the hour from 2 to 3 is left out");
  assert.ok(momentOf(now, "Atlantis/Poseidonis").minute >= 0, "a zone that the browser does not know is the browser's own");
});

test("hours begin with their first minute and end before their last", () => {
  const when = { hours: [480, 1080] };
  assert.deepEqual([at(MON, 7, 59), at(MON, 8), at(SUN, 17, 59), at(MON, 18)].map((moment) => isNow(when, moment)), [false, true, true, false]);
  assert.ok(isNow({}, at(MON, 3)));
  assert.ok(isNow({ hours: [0, 1440] }, at(MON, 23, 59)));
});

test("hours over midnight belong to the day on which they begin", () => {
  const night = { hours: [1200, 360], days: [FRI] };
  const found = [at(FRI, 19, 59), at(FRI, 20), at(SAT, 5, 59), at(SAT, 6), at(FRI, 3), at(SAT, 20)].map((moment) => isNow(night, moment));
  assert.deepEqual(found, [false, true, true, false, false, false]);
  assert.ok(isNow({ hours: [1200, 360], days: [SUN] }, at(MON, 3)));
  assert.ok(isNow({ days: [MON] }, at(MON, 0)) && !isNow({ days: [MON] }, at(SUN, 23)));
});

/** The walls that are shown one after the other. */
function shown(turns, moment, isCritical = nobody, count = 5) {
  const walls = [];
  for (let i = 0, turn = 0; i < count; i++) walls.push(turns[(turn = turnAt(turns, turn, true, moment, isCritical))].wall);
  return walls.join("");
}

test("walls take turns, each in its hours", () => {
  const turns = [{ wall: "a" }, { wall: "b", hours: [480, 1080] }, { wall: "c", days: [SAT, SUN] }];
  assert.equal(shown(turns, at(MON, 12)), "babab");
  assert.equal(shown(turns, at(SAT, 12)), "bcabc");
  assert.equal(shown(turns, at(MON, 20)), "aaaaa");
});

test("a wall stays until it has had its time, and goes at the end of its hours", () => {
  const turns = [{ wall: "a", hours: [480, 1080] }, { wall: "b" }];
  assert.equal(turnAt(turns, 0, false, at(MON, 12), nobody), 0);
  assert.equal(turnAt(turns, 0, false, at(MON, 18), nobody), 1);
});

test("without a wall in its hours the one that is shown stays", () => {
  const turns = [{ wall: "a", hours: [480, 1080] }, { wall: "b", hours: [480, 1080] }];
  assert.equal(turnAt(turns, 1, true, at(MON, 3), nobody), 1);
});

test("a critical wall breaks in at once, also outside of its hours, and several take turns", () => {
  const turns = [{ wall: "a" }, { wall: "b", hours: [480, 1080] }, { wall: "c" }];
  assert.equal(turnAt(turns, 0, false, at(MON, 3), (wall) => wall === "b"), 1);
  assert.equal(turnAt(turns, 1, true, at(MON, 3), (wall) => wall === "b"), 1);
  assert.equal(shown(turns, at(MON, 3), (wall) => wall !== "a"), "bcbcb");
  assert.equal(turnAt(turns, 1, false, at(MON, 3), nobody), 2, "afterwards the hours count again");
});

test("a screen is dimmed in its hours only", () => {
  const dim = { hours: [1200, 360], to: 0.4 };
  assert.deepEqual([at(MON, 20), at(MON, 5), at(MON, 12)].map((moment) => brightnessAt({ dim }, moment)), [0.4, 0.4, 1]);
  assert.equal(brightnessAt({}, at(MON, 20)), 1);
});
