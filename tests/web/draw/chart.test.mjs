/** A chart as shapes and labels. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { drawChart, plotOf } from "../../../web/draw/chart.js";
import { point, pointsOf } from "../../../web/draw/points.js";
import { scaleOf } from "../../../web/draw/scale.js";

const points = (...values) => pointsOf(values.map((_, i) => i * 10), values);
const limit = (value, level = "warn") => ({ value, level, above: true });

/** A chart of 100 seconds in 1000 by 400 pixels, of which the plot has 800. */
function chart(lines, changes = {}) {
  const full = lines.map((line) => ({ until: 100, current: true, ...line }));
  const scale = scaleOf({ low: 0, high: 80 }, { zero: true });
  return { width: 1000, height: 400, unit: 10, left: 8, right: 12, from: 0, to: 100, lines: full, scale, hairs: true, axis: true, ...changes };
}

const shapes = (drawn, className) => drawn.shapes.filter((shape) => shape.className === className);
const texts = (drawn, className) => drawn.labels.filter((label) => label.className.split(" ").includes(className)).map(({ text }) => text);

test("the plot leaves the gutters free, and room for times below", () => {
  const { x, width, y, height } = plotOf(chart([]));
  assert.deepEqual([x, width], [80, 800]);
  assert.ok(y > 0 && y + height < 400 - 25);
  assert.ok(plotOf(chart([], { axis: false })).height > height);
  assert.equal(plotOf(chart([], { left: 0, right: 1 })).x, 0);
});

test("no label is inside the plot, and none covers another", () => {
  const lines = [{ points: points(10, 50), name: "web-1", limits: [limit(60), limit(62, "critical")] }, { points: points(12, 51), name: "web-2" }];
  const drawn = drawChart(chart(lines, { edge: "now", times: [{ time: 50, text: "08:00" }, { time: 99, text: "09:00" }] }));
  const plot = plotOf(chart([]));
  for (const { align, x, y } of drawn.labels) {
    const right = align === "end" && x < plot.x;
    const left = align === "start" && x > plot.x + plot.width;
    assert.ok(right || left || y > plot.y + plot.height, `${x} ${y}`);
  }
  for (const align of ["start", "end"]) {
    const heights = drawn.labels.filter((label) => label.align === align).map(({ y }) => y).sort((a, b) => a - b);
    heights.slice(1).forEach((y, i) => assert.ok(y - heights[i] >= 25, `${align}: ${heights}`));
  }
});

test("a number of the scale yields to a limit, with its line", () => {
  const drawn = drawChart(chart([{ points: points(1), limits: [limit(42)] }], { limit: ({ value }) => `▲ ${value}` }));
  assert.deepEqual(texts(drawn, "tick"), ["▲ 42", "0", "80"]);
  assert.equal(shapes(drawn, "hair")[0].attributes.d.match(/M/g).length, 2);
  assert.equal(shapes(drawn, "limit warn").length, 1);
});

test("a limit that is not on the scale is not drawn, and that of several lines is drawn once", () => {
  const far = drawChart(chart([{ points: points(1), limits: [limit(500)] }]));
  assert.deepEqual([shapes(far, "limit warn"), texts(far, "warn")], [[], []]);
  const same = drawChart(chart([{ points: points(1), limits: [limit(60)] }, { points: points(2), limits: [limit(60)] }]));
  assert.equal(shapes(same, "limit warn").length, 1);
});

test("a line that holds now ends with a dot, another with dashes from its last proof", () => {
  const now = drawChart(chart([{ points: points(10, 20) }]));
  assert.deepEqual([now.shapes.filter(({ tag }) => tag === "circle").length, shapes(now, "unknown").length], [1, 0]);
  const late = drawChart(chart([{ points: points(10, 20), until: 60, current: false }]));
  assert.deepEqual([late.shapes.filter(({ tag }) => tag === "circle").length, shapes(late, "stroke quiet").length], [0, 1]);
  assert.match(shapes(late, "unknown")[0].attributes.d, /^M560 .*H880$/);
  const gap = drawChart(chart([{ points: [...points(10, 20), point(40, NaN)], until: 90, current: false }]));
  assert.match(shapes(gap, "unknown")[0].attributes.d, /^M400 /);
});

test("a failed line has no dashes: nothing is expected of it", () => {
  assert.deepEqual(shapes(drawChart(chart([{ points: points(10), until: 60, current: false, dashed: false }])), "unknown"), []);
});

test("one late line of several is muted alone, and so is its name", () => {
  const drawn = drawChart(chart([{ points: points(10), name: "a", thin: true }, { points: points(20), name: "b", current: false, until: 50, thin: true, level: "warn" }]));
  assert.deepEqual([shapes(drawn, "stroke thin").length > 0, shapes(drawn, "stroke thin quiet").length], [true, 1]);
  assert.deepEqual([texts(drawn, "quiet"), texts(drawn, "warn")], [["b"], []]);
});

test("what is not known now has no area and no colour of now", () => {
  const line = { points: points(10, 70), limits: [limit(60)] };
  const now = drawChart(chart([line], { area: true }));
  assert.deepEqual([shapes(now, "area").length, shapes(now, "over warn").length, shapes(now, "over warn ember").length], [1, 1, 0]);
  const late = drawChart(chart([{ ...line, current: false }], { area: true }));
  assert.deepEqual([shapes(late, "area").length, shapes(late, "over warn").length, shapes(late, "over warn ember").length], [0, 0, 1]);
});

test("a slot at the end is left at its newest number", () => {
  const drawn = drawChart(chart([{ points: [[0, 10, 20, 40, 40]] }]));
  const dot = drawn.shapes.find(({ tag }) => tag === "circle");
  const plot = plotOf(chart([]));
  assert.equal(dot.attributes.cy, plot.y + plot.height / 2);
});

test("the ghost is named in the right gutter, and drawn below the line", () => {
  const drawn = drawChart(chart([{ points: points(10, 20) }], { ghost: { points: points(15, 25), name: "last Friday" } }));
  assert.deepEqual(texts(drawn, "ghostly"), ["last Friday"]);
  const order = drawn.shapes.map(({ className }) => className);
  assert.ok(order.indexOf("stroke ghost") < order.indexOf("stroke"));
});

test("names without room are counted, but never one that needs somebody", () => {
  const lines = ["a", "b", "c", "d", "e"].map((name) => ({ points: points(10), name, level: name === "e" ? "warn" : "" }));
  const drawn = drawChart(chart(lines, { height: 130 }));
  const names = texts(drawn, "name");
  assert.ok(names.includes("e") && names.length < 5);
  assert.match(names[names.length - 1], /^\+\d$/);
  assert.equal(names.length - 1 + Number(names[names.length - 1].slice(1)), 5);
});

test("times near now yield to it, and a chart without labels has none", () => {
  const times = [{ time: 40, text: "08:00" }, { time: 95, text: "09:00" }];
  assert.deepEqual(texts(drawChart(chart([{ points: points(1) }], { times, edge: "now" })), "tick").slice(-2), ["08:00", "now"]);
  assert.deepEqual(drawChart(chart([{ points: points(1) }], { times, edge: "now", left: 0, right: 1, axis: false, hairs: false })).labels, []);
});

test("a time of day at the edge of a narrow plot has room", () => {
  const times = [{ time: 20, text: "11:00" }, { time: 86, text: "12:00" }];
  const narrow = (edge) => texts(drawChart(chart([{ points: points(1) }], { times, edge, width: 700 })), "tick");
  assert.ok(narrow("now").includes("12:00"));
  assert.ok(!narrow("13:00").includes("12:00"));
});

test("without any points there is a scale and nothing else", () => {
  const drawn = drawChart(chart([{ points: [], current: false, name: "a" }]));
  assert.ok(drawn.shapes.every(({ className }) => ["hair", "rule"].includes(className)));
  assert.ok(!JSON.stringify(drawn).includes("null"), "no coordinate is NaN");
});

test("a name in the gutter ends where the tile does", () => {
  const drawn = drawChart(chart([{ points: points(1), name: "reconciliation" }, { points: points(2), name: "mail" }]));
  const names = drawn.labels.filter(({ className }) => className === "name");
  assert.equal(names.length, 2);
  for (const { x, room } of names) assert.ok(x + room <= 1000, `${x} + ${room}`);
});
