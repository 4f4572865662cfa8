/** What a tile dares to say, how it is written, and where it goes. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { clock, cut, duration, limit, number, text } from "../../web/format.js";
import { layout } from "../../web/layout.js";
import { face, view } from "../../web/view.js";
import { together } from "../../web/wall.js";

const NOW = Date.UTC(2025, 10, 22, 12) / 1000;
const LIVE = { status: "live", journal: { state: "ok" }, now: NOW };

function stream(changes = {}) {
  const health = { state: "fresh", level: "ok", since: NOW - 500, proof: NOW - 2 };
  return { name: "a", description: {}, health, seq: 1, at: "1-1", time: NOW - 2, value: 42, missed: 0, ...changes };
}

function ill(changes) {
  return stream({ health: { ...stream().health, ...changes } });
}

test("a value is current only if link, journal, source and time all agree", () => {
  const cases = [
    ["current", stream(), LIVE],
    ["waiting", stream({ seq: 0, value: undefined }), LIVE],
    ["late", ill({ state: "late" }), LIVE],
    ["failed", ill({ state: "failed" }), LIVE],
    ["unconfirmed", stream(), { ...LIVE, journal: { state: "away" } }],
    ["catching-up", stream(), { ...LIVE, status: "catching-up" }],
    ["failed", ill({ state: "failed" }), { ...LIVE, status: "catching-up" }],
    ...["lost", "connecting", "closed"].map((status) => ["lost", stream(), { ...LIVE, status }]),
    ["lost", ill({ state: "failed" }), { ...LIVE, status: "lost" }],
  ];
  for (const [state, one, picture] of cases) assert.equal(view(one, picture).state, state);
});

test("what is not current has no level: what is unknown is never coloured", () => {
  assert.equal(view(ill({ level: "critical" }), LIVE).level, "critical");
  assert.equal(view(ill({ level: "warn" }), LIVE).level, "warn");
  for (const picture of [{ ...LIVE, status: "lost" }, { ...LIVE, status: "catching-up" }, { ...LIVE, journal: { state: "away" } }]) {
    assert.equal(view(ill({ level: "critical" }), picture).level, "ok");
  }
  for (const state of ["late", "failed"]) assert.equal(view(ill({ level: "critical", state }), LIVE).level, "ok");
  assert.equal(view(ill({ level: "toString" }), LIVE).level, "ok");
});

test("the evidence, in words", () => {
  const said = (one, picture = LIVE) => view(one, picture).evidence.join(" · ").replaceAll("\u00a0", " ");
  const today = clock(NOW - 2, NOW);
  assert.equal(said(stream()), "now");
  assert.equal(said(stream({ time: NOW - 3 * 3600 })), "unchanged 3 h");
  assert.equal(said(stream({ time: NOW - 3 * 3600 }), { ...LIVE, brief: true }), "3 h ago");
  assert.equal(said(stream({ time: NOW + 1 })), "now");
  assert.match(said(stream({ time: NOW + 600 })), /^dated \d\d:\d\d$/);
  assert.equal(said(stream({ ...ill({ level: "warn" }), description: { warn: "> 80" } })), "▲ above 80 · now");
  assert.equal(said(ill({ level: "critical" })), "■ critical · now");
  assert.equal(said(ill({ state: "failed", error: "database unreachable" })), `✕ database unreachable · value of ${today}`);
  assert.equal(said(stream({ ...ill({ state: "failed" }), seq: 0 })), "✕ failed · no value yet");
  const late = { ...ill({ state: "late", proof: NOW - 130 }), description: { expect: 60 } };
  assert.equal(said(late), `late by 70 s · value of ${today}`);
  assert.match(said(ill({ state: "late" })), /^late since \d\d:\d\d · value of/);
  assert.match(said(stream({ seq: 0 })), /^waiting since \d\d:\d\d$/);
  assert.equal(said(stream({ seq: 0, health: {} })), "waiting");
  assert.equal(said(stream(), { ...LIVE, status: "lost" }), `value of ${today}`);
  assert.equal(said(stream(), { ...LIVE, status: "catching-up" }), `catching up · value of ${today}`);
});

test("the face: no value is a dash, never 0; text is text; numbers have units", () => {
  assert.deepEqual(face(stream({ seq: 0, value: undefined, description: { unit: "ms" } })), {
    label: "a", value: "—", kind: "numeral", unit: "", exact: "",
  });
  assert.equal(face(stream({ value: null })).value, "—");
  assert.equal(face(stream({ value: 0, description: { title: "Zero", unit: "ms" } })).unit, "ms");
  assert.equal(face(stream({ value: "passing" })).kind, "numeral");
  assert.equal(face(stream({ value: "a longer text than that" })).kind, "text");
  assert.equal(face(stream({ value: { a: [1, "<b>"] } })).value, '{"a":[1,"<b>"]}');
  assert.equal(face(stream({ value: 1284350.25 })).exact, "1284350.25");
});

test("numbers have at most five significant digits", () => {
  const plain = (value) => number(value).replace(/[\u00a0\u202f,]/g, "");
  for (const [value, written] of [
    [0, "0"], [-0, "0"], [7, "7"], [12345, "12345"], [99_999, "99999"], [0.5, "0.5"], [3.14159, "3.142"], [21.4375, "21.44"],
    [1234.56, "1235"], [-12.5, "-12.5"], [0.00012345, "0.0001235"], [128_431, "128.4K"], [1_284_350.25, "1.284M"],
    [-5.5e9, "-5.5B"], [1.5e-7, "1.5E-7"], [1e300, "1E300"], [99_999.9, "100K"],
  ]) assert.equal(plain(value), written, `${value}`);
});

test("any value is a text of bounded length", () => {
  let deep = [];
  for (let i = 0; i < 100_000; i++) deep = [deep];
  for (const value of [deep, "x".repeat(65_536), Array(10_000).fill("🙂"), "🙂".repeat(20_000)]) {
    const written = text(value);
    assert.ok(written.length > 10 && written.length <= 601);
    assert.equal(Buffer.from(written).toString(), written); // no half characters
  }
  assert.equal(text(""), '""');
  assert.equal(text(" \n"), '" \\n"');
  assert.equal(text(false), "false");
  assert.equal(cut("abc", 3), "abc");
});

test("lengths and times of day", () => {
  const written = (...args) => duration(...args).replaceAll("\u00a0", " ");
  for (const [seconds, one, two] of [
    [-3, "0 s", "0 s"], [0.5, "0 s", "0 s"], [59.9, "59 s", "59 s"], [70, "70 s", "1 min 10 s"], [190, "3 min", "3 min 10 s"],
    [3600, "60 min", "1 h"], [3661, "61 min", "1 h 1 min"], [3 * 3600, "3 h", "3 h"], [90_000, "1 d", "1 d 1 h"],
  ]) assert.deepEqual([written(seconds), written(seconds, 2)], [one, two], `${seconds}`);
  assert.match(clock(NOW - 60, NOW), /^\d\d:\d\d$/);
  assert.match(clock(NOW - 86_400 * 3, NOW), /19.*\d\d:\d\d$/);
  assert.match(clock(1, NOW), /19(70|69)/);
  for (const odd of [1e300, NaN, undefined]) assert.equal(clock(odd, NOW), "?");
});

test("limits in words", () => {
  for (const [given, words] of [
    ["> 80", "above 80"], ["<5", "below 5"], [">= 1", "at least 1"], ["<= 1", "at most 1"], ["!= ok", "not ok"], ["== 3", "at 3"],
    ["odd", "odd"], [undefined, ""], [5, ""],
  ]) assert.equal(limit(given), words);
});

test("the layout: one is alone, a dozen are three rows, a phone has one column, many are scrolled to", () => {
  const screen = { width: 1920, height: 1080 };
  const room = { width: 1920, height: 1010 };
  const place = (count, ...sizes) => layout(count, ...(sizes.length ? sizes : [room, screen]));
  assert.deepEqual([place(1).columns, place(1).height], [1, 1010]);
  assert.deepEqual([place(12).columns, place(12).height, place(12).density], [4, 336, "roomy"]);
  assert.equal(place(40).density, "dense");
  assert.ok(place(40).height * Math.ceil(40 / place(40).columns) <= 1010);
  assert.deepEqual([place(300).columns, place(300).density], [8, "dense"]);
  assert.equal(place(5, { width: 390, height: 770 }, { width: 390, height: 844 }).columns, 1);
  for (let count = 0; count < 400; count++) {
    for (const [width, height] of [[1920, 1080], [390, 844], [800, 300], [1080, 1920], [3840, 2160]]) {
      const { columns, height: row, unit, lines } = place(count, { width, height: height - 60 }, { width, height });
      assert.ok(columns >= 1 && columns <= 8 && row > 12 * unit - 1 && Number.isFinite(row) && unit >= 5.5 && lines >= 1);
    }
  }
});

test("equal prefixes stand together, where the first of them is", () => {
  assert.deepEqual(together(["b.x", "a", "b.y", "a.z", "c"]), ["b.x", "b.y", "a", "a.z", "c"]);
});
