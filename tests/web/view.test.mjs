/** What a tile dares to say, how it is written, and where it goes. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { clock, cut, duration, limit, number, text } from "../../web/format.js";
import { layout } from "../../web/layout.js";
import { table } from "../../web/list.js";
import { together } from "../../web/plan.js";
import { change, combined, face, kind, label, until, validity, view } from "../../web/view.js";
import { History } from "../../web/history.js";

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
  assert.equal(said(stream({ time: NOW + 1 })), "now");
  assert.match(said(stream({ time: NOW + 600 })), /^dated \d\d:\d\d$/);
  assert.equal(said(stream({ ...ill({ level: "warn" }), description: { warn: "> 80" } })), "▲ above 80 · now");
  assert.equal(said(ill({ level: "critical" })), "■ critical · now");
  assert.equal(said(ill({ state: "failed", error: "database unreachable" })), `✕ database unreachable · value of ${today}`);
  assert.equal(said(stream({ ...ill({ state: "failed" }), seq: 0 })), "✕ failed · no value yet");
  const late = { ...ill({ state: "late", proof: NOW - 130 }), description: { expect: 60 } };
  assert.equal(said(late), `late by 70 s · value of ${today}`);
  assert.match(said(ill({ state: "late" })), /^late since \d\d:\d\d · value of/);
  const never = { ...ill({ state: "late", proof: null }), description: { expect: 60 } };
  assert.match(said(never), /^late since \d\d:\d\d · value of/);
  assert.match(said(stream({ seq: 0 })), /^waiting since \d\d:\d\d$/);
  assert.equal(said(stream({ seq: 0, health: {} })), "waiting");
  assert.equal(said(stream(), { ...LIVE, status: "lost" }), `value of ${today}`);
  assert.equal(said(ill({ level: "critical" }), { ...LIVE, status: "lost" }), `value of ${today} · was ■ critical`);
  assert.equal(said(stream(), { ...LIVE, status: "catching-up" }), `catching up · value of ${today}`);
});

test("the face: no value is a dash, never 0; text is text; numbers have units", () => {
  assert.deepEqual(face(stream({ seq: 0, value: undefined, description: { unit: "ms" } })), {
    value: "—", size: "numeral", unit: "", exact: "",
  });
  assert.equal(face(stream({ value: null })).value, "—");
  assert.equal(face(stream({ value: 0, description: { title: "Zero", unit: "ms" } })).unit, "ms");
  assert.equal(face(stream({ value: "passing" })).size, "numeral");
  assert.equal(face(stream({ value: "a longer text than that" })).size, "text");
  assert.equal(face(stream({ value: true })).value, "yes");
  assert.equal(face(stream({ value: { toString: 1 } })).value, '{"toString":1}');
  assert.equal(label(stream()), "a");
  assert.equal(label(stream({ description: { title: "Zero" } })), "Zero");
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
  for (const seconds of [0, 1]) assert.match(duration(seconds), /^\d\u00a0s$/, "one word");
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

test("what is overdue is late before the server says so, but not because a proof is under way", () => {
  const due = (proof, tick = 5) => view(stream({ ...ill({ proof: NOW - proof }), description: { expect: 6 } }), { ...LIVE, tick }).state;
  assert.deepEqual([due(5), due(10.9), due(11.1), due(500)], ["current", "current", "late", "late"]);
  assert.deepEqual(validity(stream({ description: { expect: 6 } }), 5), { from: NOW - 2, span: 11 });
  assert.equal(validity(stream(), 5), null);
  const never = { ...ill({ proof: null }), seq: 0, description: { expect: 6 } };
  assert.equal(view(never, { ...LIVE, tick: 5 }).state, "waiting");
});

test("a tile of several streams is as good as the worst, and says which", () => {
  const good = stream({ name: "good" });
  const words = (...streams) => {
    const { state, level, evidence } = combined(streams, LIVE);
    return [state, level, evidence[0]];
  };
  assert.deepEqual(words(good, good), ["current", "ok", "now"]);
  assert.deepEqual(words(good, ill({ level: "warn" })), ["current", "warn", "▲ warn: a"]);
  assert.deepEqual(words(good, ill({ state: "late" }), ill({ state: "failed", error: "gone" })).slice(0, 2), ["failed", "ok"]);
  assert.equal(words(good, ill({ state: "failed", error: "gone" }))[2], "✕ gone: a");
});

test("the value decides the kind, unless somebody says it", () => {
  for (const [value, found] of [[1, "value"], ["ok", "status"], [true, "status"], ["a longer text than that", "value"], [null, "value"], [[1], "list"], [{}, "list"]]) {
    assert.equal(kind(stream({ value })), found, `${value}`);
    assert.equal(kind(stream({ value }), "chart"), "chart");
  }
  assert.equal(kind(stream({ description: { show: "list" } })), "list");
  assert.equal(kind(stream({ description: { show: "constructor" } })), "value");
});

test("up to when a value is known", () => {
  assert.equal(until(stream(), LIVE), NOW);
  assert.equal(until(ill({ state: "failed" }), LIVE), NOW - 2);
  assert.equal(until(stream(), { ...LIVE, lost: NOW - 60 }), NOW - 60);
  assert.equal(until(stream(), { ...LIVE, journal: { state: "away" } }), NOW - 2);
});

test("a history is of fixed size, whatever comes", () => {
  for (const keep of [undefined, 2, 100, 1e6, "60s", "86400s", "nonsense"]) {
    const history = new History(keep);
    for (let i = 0; i < 20_000; i++) history.push(i * 0.7, i % 97 ? Math.sin(i) : null);
    const { times, values } = history.points(20_000 * 0.7);
    assert.ok(times.length <= 2000 && times.length === values.length, `${keep}`);
    assert.ok([...times].every((time, i) => !i || time >= times[i - 1]), `${keep}`);
    assert.equal(values.at(-1), Math.sin(19_999));
  }
});

test("a history thins what is old, and keeps its highest, lowest and breaks", () => {
  const history = new History("3600s");
  for (let i = 0; i < 10_000; i++) history.push(i * 0.36, i === 1234 ? 99 : i === 2345 ? -99 : i === 5000 ? null : 1);
  const { times, values } = history.points(3600);
  assert.ok(times.length < 2000);
  assert.equal(Math.max(...[...values].filter((value) => !Number.isNaN(value))), 99);
  assert.equal(Math.min(...[...values].filter((value) => !Number.isNaN(value))), -99);
  assert.equal([...values].filter(Number.isNaN).length, 1);
  const few = new History(3);
  for (let i = 0; i < 7; i++) few.push(i, i);
  assert.deepEqual([...few.points(9).values], [4, 5, 6]);
});

test("a history is broken while nothing is known, once", () => {
  const history = new History();
  history.pause(1); // nothing was known before, either
  history.push(2, 5);
  history.pause(3);
  history.pause(4);
  assert.deepEqual([...history.points(9).values], [5, NaN]);
  assert.ok(history.paused);
});

test("a change is told with its window", () => {
  const history = new History();
  for (const [ago, value] of [[7200, 1], [4000, 5], [600, 10], [5, 17.5]]) history.push(NOW - ago, value);
  assert.equal(change(history, NOW).replaceAll("\u00a0", " "), "+12.5 in 60 min");
  history.push(NOW, 5);
  assert.equal(change(history, NOW), "");
  history.push(NOW, 1);
  assert.match(change(history, NOW), /^−4 in/);
  const young = new History();
  young.push(NOW - 60, 1);
  young.push(NOW, 2);
  assert.equal(change(young, NOW), "");
});

test("the layout: one is alone, a dozen are three rows, a phone has one column, many are on pages", () => {
  const screen = { width: 1920, height: 1080 };
  const room = { width: 1920, height: 1010 };
  const place = (count, ...sizes) => layout(Array(count).fill(1), ...(sizes.length ? sizes : [room, screen]));
  assert.deepEqual([place(1).columns, place(1).height], [1, 1010]);
  assert.deepEqual([place(12).columns, place(12).height, place(12).pages.length], [4, 336, 1]);
  assert.deepEqual(place(12).pages[0][1], [4, 5, 6, 7]);
  assert.equal(place(25).pages.length, 1);
  assert.ok(place(40).pages.length === 2);
  assert.deepEqual(place(300).pages.flat(2), [...Array(300).keys()]);
  const phone = place(30, { width: 390, height: 770 }, { width: 390, height: 844 });
  assert.deepEqual([phone.columns, phone.pages.length], [1, 1]);
  for (let count = 0; count < 400; count++) {
    for (const [width, height] of [[1920, 1080], [390, 844], [800, 300], [1080, 1920], [3840, 2160]]) {
      const weights = Array.from({ length: count }, (_, i) => 1 + (i % 5 === 3));
      const { columns, height: row, unit, lines, pages } = layout(weights, { width, height: height - 60 }, { width, height });
      assert.ok(columns >= 1 && columns <= 8 && row > 15 * unit && Number.isFinite(row) && unit >= 5.5 && lines >= 1);
      assert.deepEqual(pages.flat(2), [...weights.keys()], "each tile once, in order");
      for (const tiles of pages.flat()) assert.ok(tiles.reduce((sum, i) => sum + Math.min(columns, weights[i]), 0) <= columns);
      if (width >= 600) for (const page of pages) assert.ok(page.length * row <= Math.max(height - 60, row));
    }
  }
});

test("a list of anything is rows", () => {
  assert.deepEqual(table([["a", 1], ["b", 2]]), { head: [], rows: [["a", 1], ["b", 2]] });
  assert.deepEqual(table([{ id: 1, n: 2 }, { id: 3 }]), { head: ["id", "n"], rows: [[1, 2], [3, null]] });
  assert.deepEqual(table({ a: 1, b: null }), { head: [], rows: [["a", 1], ["b", null]] });
  assert.deepEqual(table([1, [], {}]), { head: [], rows: [[1], [[]], [{}]] });
  assert.deepEqual(table([{}, {}]).rows.length, 2);
  assert.deepEqual(table(5).rows, [[5]]);
});

test("equal prefixes stand together, where the first of them is", () => {
  assert.deepEqual(together(["b.x", "a", "b.y", "a.z", "c"]), ["b.x", "b.y", "a", "a.z", "c"]);
});
