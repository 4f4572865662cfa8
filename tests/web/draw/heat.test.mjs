import assert from "node:assert/strict";
import { test } from "node:test";

import { drawHeat, hoursOf, STEPS, stepOf } from "../../../web/draw/heat.js";
import { point } from "../../../web/draw/points.js";

const BERLIN = { timezone: "Europe/Berlin" };
/** Monday, 24 November 2025, 14:20 in Berlin. */
const NOW = Date.UTC(2025, 10, 24, 13, 20) / 1000;
const hours = (points, days = 2) => hoursOf(points, days, NOW, BERLIN, () => "day");

test("an hour is the mean over the time that is known of it", () => {
  const at = (hour, minute = 0) => Date.UTC(2025, 10, 24, hour - 1, minute) / 1000;
  const [, today] = hours([point(at(8), 10), point(at(8, 30), 20), point(at(9), NaN), point(at(10, 30), 40), point(at(11), 0)]);
  assert.equal(today.cells[8], 15);
  assert.equal(today.cells[9], null);
  assert.equal(today.cells[10], 40);
  assert.equal(today.cells[13], 0);
  assert.equal(today.cells[7], null);
  assert.equal(today.cells[15], undefined);
});

test("a day of 25 hours has 24 cells, and the hour that came twice is one", () => {
  const end = Date.UTC(2025, 9, 26, 22, 59) / 1000;
  const rows = hoursOf([point(Date.UTC(2025, 9, 25, 22) / 1000, 1)], 1, end, BERLIN, () => "Sun");
  assert.deepEqual(rows[0].cells, Array(24).fill(1));
});

test("steps are five, and only zero is none", () => {
  assert.deepEqual([0, 0.001, 20, 20.1, 100, -5].map((value) => stepOf(value, 100)), [0, 1, 1, 2, STEPS, 0]);
});

test("rows become cells, unknown ones dashes, and those to come nothing", () => {
  const rows = [{ name: "Sun", cells: [1, 2, 3, 4, 5, 6, 7, 8] }, { name: "Mon", cells: [8, null, 0, 4, undefined, undefined, undefined, undefined] }];
  const drawn = drawHeat({ width: 400, height: 100, unit: 10, rows, current: 3 });
  const names = drawn.shapes.map(({ className }) => className);
  assert.ok(names.includes("unknown") && names.includes("heat-0") && names.includes("heat-5") && names.includes("heat-now"));
  assert.equal(drawn.most, 8);
  const cells = drawn.shapes.filter(({ className }) => /^heat-\d/.test(className)).map(({ attributes }) => attributes.d.split("Z").length - 1);
  assert.equal(cells.reduce((a, b) => a + b), 11);
});

test("without room for a week, the newest days are shown", () => {
  const rows = ["a", "b", "c"].map((name) => ({ name, cells: [1, 2, 3] }));
  const { labels } = drawHeat({ width: 300, height: 50, unit: 10, rows, current: 1 });
  assert.deepEqual(labels.map(({ text }) => text).filter((text) => /[abc]/.test(text)), ["c"]);
});

test("of rows lower than a name, every other one has its name, and the newest always", () => {
  const rows = [..."abcdefg"].map((name) => ({ name, cells: [1, 2, 3] }));
  const { labels, more } = drawHeat({ width: 300, height: 30 + 7 * 20, unit: 10, rows, current: 1 });
  assert.deepEqual([labels.map(({ text }) => text).filter((text) => /[a-g]/.test(text)), more], [["a", "c", "e", "g"], 0]);
});

test("nothing but zeros is no division by zero", () => {
  assert.ok(drawHeat({ width: 300, height: 100, unit: 10, rows: [{ name: "a", cells: [0, 0] }] }).shapes.every(({ attributes }) => !/NaN|Infinity/.test(attributes.d)));
});

test("of days of which nothing is known, all hours are shown", () => {
  const { labels } = drawHeat({ width: 600, height: 100, unit: 10, rows: [{ name: "Mon", cells: Array(24).fill(null) }], current: 3 });
  assert.ok(labels.some(({ text }) => Number(text) > 16));
});
