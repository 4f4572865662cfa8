import assert from "node:assert/strict";
import { test } from "node:test";

import { clock } from "../../../web/text/format.js";
import { misfit } from "../../../web/text/misfit.js";
import { assess, assessEach, assessAll, assessBroken, textOf } from "../../../web/wall/evidence.js";
import { ill, LIVE, NOW, stream } from "../streams.mjs";

test("a value that is not current has no level", () => {
  assert.equal(assess(ill({ level: "critical" }), LIVE).level, "critical");
  assert.equal(assess(ill({ level: "warn" }), LIVE).level, "warn");
  for (const picture of [{ ...LIVE, status: "lost" }, { ...LIVE, status: "catching-up" }, { ...LIVE, journal: { state: "away" } }]) {
    assert.equal(assess(ill({ level: "critical" }), picture).level, "ok");
  }
  for (const state of ["late", "failed"]) assert.equal(assess(ill({ level: "critical", state }), LIVE).level, "ok");
  assert.equal(assess(ill({ level: "toString" }), LIVE).level, "ok");
});

test("the evidence says in words what is known", () => {
  const said = (one, picture = LIVE) => assess(one, picture).evidence.map(textOf).join(" · ").replaceAll("\u00a0", " ");
  const today = clock(NOW - 2, NOW);
  assert.equal(said(stream()), "");
  assert.equal(said(stream({ time: NOW - 3 * 3600 })), "unchanged 3 h");
  assert.equal(said(stream({ time: NOW - 599 })), "", "most values of a wall stay the same for minutes");
  assert.equal(said(stream({ time: NOW + 1 })), "");
  assert.match(said(stream({ time: NOW + 600 })), /^dated \d\d:\d\d$/);
  assert.equal(said(stream({ ...ill({ level: "warn" }), description: { warn: "> 80" } })), "▲ above 80");
  assert.equal(said(ill({ level: "critical" })), "■ critical");
  assert.equal(said(ill({ state: "failed", error: "database unreachable" })), `✕ database unreachable · value of ${today}`);
  assert.equal(said(stream({ ...ill({ state: "failed" }), seq: 0 })), "✕ failed · no value yet");
  const late = { ...ill({ state: "late", proof: NOW - 130 }), description: { expect: 60 } };
  assert.equal(said(late), `late by 70 s · value of ${today}`);
  assert.match(said(ill({ state: "late" })), /^late since \d\d:\d\d · value of/);
  const gap = ill({ state: "late", proof: NOW - 130, error: "messages may be missing since 14:02" });
  assert.equal(said(gap), `messages may be missing since 14:02 · value of ${today}`);
  assert.equal(said({ ...gap, description: { expect: 60 } }), `messages may be missing since 14:02 · value of ${today}`);
  const never = { ...ill({ state: "late", proof: null }), description: { expect: 60 } };
  assert.match(said(never), /^late since \d\d:\d\d · value of/);
  assert.match(said(stream({ seq: 0 })), /^waiting since \d\d:\d\d$/);
  assert.equal(said(stream({ seq: 0, health: {} })), "waiting");
  assert.equal(said(stream(), { ...LIVE, status: "lost" }), `value of ${today}`);
  assert.equal(said(ill({ level: "critical" }), { ...LIVE, status: "lost" }), `value of ${today} · was ■ critical`);
  assert.equal(said(stream(), { ...LIVE, status: "catching-up" }), `catching up · value of ${today}`);
});

test("what the kind has to say follows the limit, and is said of current values only", () => {
  const parts = [{ strong: "+12", text: "in 1 h" }];
  const warned = stream({ ...ill({ level: "warn" }), description: { warn: "> 80" }, time: NOW - 600 });
  assert.deepEqual(assess(warned, LIVE, parts).evidence.map(({ strong, level }) => [strong, level]), [["▲ above 80", "warn"], ["+12", undefined]]);
  assert.equal(textOf(assess(warned, { ...LIVE, status: "lost" }, parts).evidence[0]).slice(0, 8), "value of");
});

test("a tile of several streams shows the worst state and names the stream", () => {
  const good = stream({ name: "good" });
  const words = (...streams) => {
    const { state, level, evidence } = assessAll(streams, LIVE);
    return [state, level, textOf(evidence[0])];
  };
  assert.deepEqual(words(good, good), ["current", "ok", ""]);
  assert.deepEqual(words(good, ill({ level: "warn" })), ["current", "warn", "▲ warning: a"]);
  assert.deepEqual(words(good, ill({ state: "late" }), ill({ state: "failed", error: "gone" })).slice(0, 2), ["failed", "ok"]);
  assert.equal(words(good, ill({ state: "failed", error: "gone" }))[2], "✕ gone: a");
});

test("a tile of several streams says which one needs a tile of its own", () => {
  const object = { up: 5 };
  const streams = [ill({ value: "closed" }), { ...ill({ value: object }), name: "parts" }];
  streams[1].value = object;
  const said = (language) => assessBroken(misfit("band", "streams with limits, or of texts", object), { ...LIVE, language }, streams).evidence[0].strong;
  assert.equal(said("en"), "✕ cannot be shown: a band shows streams with limits, or of texts, not an object of 1 member; give parts a tile of its own");
  assert.ok(said("de").endsWith("; parts braucht eine eigene Kachel"));
  assert.ok(!assessBroken(new TypeError("no"), LIVE, streams).evidence[0].strong.includes(";"));
});

test("a tile that cannot be shown has failed, and says why", () => {
  const said = (error, picture = LIVE) => assessBroken(error, picture, [ill({ level: "critical" })]);
  assert.deepEqual(said(new TypeError("no such member")), {
    state: "failed", level: "ok", evidence: [{ strong: "✕ cannot be shown: no such member" }, { text: `value of ${clock(NOW - 2, NOW)}` }],
  });
  assert.equal(assessBroken(misfit("value", "a number or a text", []), { ...LIVE, language: "de" }, [ill({})]).evidence[0].strong, "✕ nicht darstellbar: value zeigt eine Zahl oder einen Text, nicht ein leeres Array");
  assert.equal(said("why", { ...LIVE, status: "lost" }).state, "lost");
  assert.equal(textOf(said({ toString: 1 }).evidence[0]), "✕ cannot be shown: unknown error");
  assert.ok(textOf(said(new Error("x".repeat(9999))).evidence[0]).length < 250);
});

test("a tile of many parts is late only if all of them are", () => {
  const late = { ...ill({ state: "late" }), name: "late" };
  const some = assessEach([stream(), late], LIVE);
  assert.equal(some.state, "current");
  assert.deepEqual(some.members.map(({ called, assessment }) => [called, assessment.state]), [["a", "current"], ["late", "late"]]);
  assert.equal(assessEach([late, late], LIVE).state, "late");
  assert.equal(assessEach([ill({ state: "failed" }), late], LIVE).state, "late");
  assert.equal(assessEach([stream(), late], { ...LIVE, status: "lost" }).state, "lost");
});

test("its level is the worst of its current parts", () => {
  const bad = ill({ level: "critical" });
  assert.equal(assessEach([stream(), bad], LIVE).level, "critical");
  assert.equal(assessEach([stream(), ill({ state: "late", level: "critical" })], LIVE).level, "ok");
});

test("a level began when its value became true, or when its past says so", () => {
  const since = (time, history) => assess({ ...ill({ level: "warn", since: NOW - 60 }), time }, { ...LIVE, history }).since;
  assert.equal(since(NOW - 600), NOW - 600);
  assert.equal(since(NOW - 1), NOW - 60);
  assert.equal(since(NOW - 1, { spans: { began: ({ name }, level) => (name === "a" && level === "warn" ? NOW - 900 : undefined) } }), NOW - 900);
});

test("what is always said is said of values that are not current, too", () => {
  const parts = [{ text: "change" }, { text: "+7 more", always: true }];
  assert.deepEqual(assess(ill({ state: "failed", error: "no" }), LIVE, parts).evidence.map(textOf).slice(-1), ["+7 more"]);
  assert.ok(!assess(ill({ state: "late" }), LIVE, parts).evidence.map(textOf).includes("change"));
});
