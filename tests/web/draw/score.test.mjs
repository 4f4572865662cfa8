import assert from "node:assert/strict";
import { test } from "node:test";

import { SCORE, drawScore, isScore, plotsOf, wordOfEvent } from "../../../web/draw/score.js";

const box = (y, height = 25, changes = {}) => ({ x: 3, y, width: 94, height, ...changes });
const score = (flags, changes = {}) => drawScore({ width: 500, height: 700, unit: 10, from: 0, to: 100, axis: 150, times: [], flags, ...changes });

test("tiles below each other are a score, if each has room", () => {
  assert.equal(isScore([box(0), box(26), box(52)]), true);
  assert.equal(isScore([box(0)]), false);
  assert.equal(isScore([box(0), box(26, 25, { x: 50 })]), false, "beside each other");
  assert.equal(isScore([box(0), box(26, 25, { width: 60 })]), false, "of two widths");
  assert.equal(isScore([box(0, 25, { width: 40 }), box(26, 25, { width: 40 })]), false, "too narrow");
  assert.equal(isScore([box(0), box(26, 12)]), false, "too low");
  assert.equal(isScore([box(26), box(0)]), false, "in another order");
});

test("the plots reach from the first tile's to the end of the last", () => {
  const left = SCORE.side + SCORE.space + SCORE.left;
  assert.deepEqual(plotsOf([box(10), box(36)], 5), { x: 3 + left, y: 15, width: 94 - left - SCORE.right, height: 46, axis: 25 - 5 - 3.4 });
});

test("round times and now run through all, the edges are no round times", () => {
  const { shapes } = score([], { times: [0, 50, 100] });
  assert.deepEqual(shapes.map(({ className, attributes }) => [className, attributes.d]), [["hair", "M250.5 0V155M250.5 184V700"], ["rule", "M500.5 0V155M500.5 184V700"], ["flag", ""]]);
});

test("an event has a flag and a word, which is left out where it would cover another", () => {
  const { shapes, labels } = score([{ time: 20, text: "Checkout 4.12" }, { time: 60, text: "rolled back" }]);
  assert.match(shapes[2].attributes.d, /^M100.5 -40V700M300.5 -40V700$/);
  assert.deepEqual(labels.map(({ text, align }) => [text, align]), [["Checkout 4.12", "start"], ["rolled back", "start"]]);
  const near = score([{ time: 78, text: "Checkout 4.12" }, { time: 80, text: "rolled back" }]);
  assert.deepEqual(near.labels.map(({ align }) => align), ["end", "start"]);
});

test("no line runs through a time that is written below the first plot", () => {
  const { shapes } = score([{ time: 20, text: "a" }, { time: 52, text: "b" }, { time: 97, text: "c" }], { times: [50] });
  assert.equal(shapes[2].attributes.d, "M100.5 -40V700M260.5 -40V155M260.5 184V700M485.5 -40V155M485.5 184V700");
});

test("events outside the window have no flag, and a low score has no words", () => {
  assert.equal(score([{ time: -1, text: "a" }, { time: 0, text: "b" }, { time: 101, text: "c" }]).shapes[2].attributes.d, "");
  const low = score([{ time: 20, text: "a" }], { height: 590 });
  assert.deepEqual([low.labels, low.shapes[2].attributes.d.length > 0], [[], true]);
});

test("the word of an event is its text, or the first members of an object", () => {
  const write = (value) => String(value);
  assert.equal(wordOfEvent("rolled back", write), "rolled back");
  assert.equal(wordOfEvent({ service: "Checkout", version: 4.12, by: "Ana" }, write), "Checkout 4.12");
  assert.equal(wordOfEvent({ nested: { a: 1 } }, write), "");
  assert.equal(wordOfEvent(5, write), "5");
  assert.equal(wordOfEvent("x".repeat(100), write).length, 28);
});
