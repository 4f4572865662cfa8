import assert from "node:assert/strict";
import { test } from "node:test";

import { drawBand } from "../../../web/draw/band.js";

const ROOM = { width: 600, height: 240, unit: 10, left: 10, right: 10, from: 0, to: 400, rest: (count, worse) => `${count}${worse ? "!" : ""}` };
const row = (changes = {}) => ({ name: "a", spans: [[0, Infinity, "ok"]], until: 400, rank: "ok", text: "", ...changes });
const draw = (rows, more = {}) => drawBand({ ...ROOM, rows, ...more });
const path = (drawn, className) => drawn.shapes.find((shape) => shape.className === className)?.attributes.d ?? "";

test("what works is a line over the whole window", () => {
  const drawn = draw([row()]);
  assert.deepEqual(drawn.shapes.map(({ className }) => className), ["works"]);
  assert.match(path(drawn, "works"), /^M100 .*H500v/);
});

test("what is over is an ember, what goes on has full colour", () => {
  const spans = [[0, 100, "ok"], [100, 200, "critical"], [200, 300, "ok"], [300, Infinity, "warn"]];
  const drawn = draw([row({ spans, rank: "warn", text: "▲ 2 min" })]);
  assert.deepEqual(drawn.shapes.map(({ className }) => className).sort(), ["block critical ember", "block warn", "works"]);
  assert.match(path(drawn, "block critical ember"), /^M200 .*H300v/);
  assert.match(path(drawn, "block warn"), /^M400 .*H500v/);
});

test("a critical row is filled from its name to its end", () => {
  const drawn = draw([row(), row({ name: "Payments", spans: [[0, 300, "ok"], [300, Infinity, "critical"]], rank: "critical", text: "■" })]);
  assert.equal(drawn.shapes[0].className, "filled");
  assert.match(path(drawn, "filled"), /H600v/);
  assert.ok(drawn.labels.filter(({ className }) => className.includes("on")).length === 2);
});

test("what is not known is dashed, and what was before the first value is nothing", () => {
  const spans = [[50, 100, "ok"], [100, 150, "unknown"], [150, Infinity, "ok"]];
  const drawn = draw([row({ spans, until: 300, rank: "late" })]);
  assert.match(path(drawn, "unknown"), /^M200 \d+H250M400 \d+H500$/);
  assert.match(path(drawn, "works"), /^M150 /);
});

test("a row whose value is not current has no full colour, whatever it was", () => {
  const drawn = draw([row({ spans: [[0, Infinity, "critical"]], until: 200, rank: "failed" })]);
  assert.deepEqual(drawn.shapes.map(({ className }) => className).sort(), ["block critical ember", "unknown"]);
});

test("what was bad for a moment is still seen", () => {
  const [, left, right] = path(draw([row({ spans: [[0, 200, "ok"], [200, 200.1, "warn"], [200.1, Infinity, "ok"]] })]), "block warn ember").match(/^M([\d.]+) [\d.]+H([\d.]+)/) ?? [];
  assert.ok(Number(right) - Number(left) >= 4);
});

test("of many spans in one pixel each state is drawn once, and the present one in full colour", () => {
  const flaps = Array.from({ length: 300 }, (_, i) => [399 + i / 1000, 399 + (i + 1) / 1000, i % 2 ? "warn" : "ok"]);
  const drawn = draw([row({ spans: [[0, 399, "ok"], ...flaps, [399.3, Infinity, "warn"]], rank: "warn" })]);
  const boxes = (className) => path(drawn, className).split("M").length - 1;
  assert.ok(boxes("works") < 10 && boxes("block warn ember") < 10);
  assert.equal(boxes("block warn"), 1);
});

test("where not all rows have room, the worst stay in their order, and the others are counted", () => {
  const rows = Array.from({ length: 12 }, (_, i) => row({ name: `n${i}`, rank: i === 7 ? "critical" : i === 3 ? "warn" : "ok" }));
  const names = (drawn) => drawn.labels.filter(({ className }) => className.startsWith("name")).map(({ text }) => text);
  assert.equal(names(draw(rows, { height: 12 * 24 })).length, 12);
  const small = draw(rows, { height: 100 });
  assert.deepEqual(names(small), ["n0", "n3", "n7"]);
  assert.ok(small.labels.some(({ text }) => text === "9"));
  const bad = draw(rows.map((each) => ({ ...each, rank: "critical" })), { height: 100 });
  assert.ok(bad.labels.some(({ text }) => text === "9!"));
});

test("rows do not become higher than a row", () => {
  const [{ y }, { y: next }] = draw([row(), row()], { height: 1000 }).labels;
  assert.ok(next - y <= 60);
});

test("a time between two spans was not known", () => {
  const drawn = draw([row({ spans: [[0, 100, "ok"], [200, Infinity, "ok"]] })]);
  assert.match(path(drawn, "unknown"), /^M200 \d+H300$/);
});
