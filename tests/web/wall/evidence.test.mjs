import assert from "node:assert/strict";
import { test } from "node:test";

import { clock } from "../../../web/text/format.js";
import { assess, assessAll, assessBroken } from "../../../web/wall/evidence.js";
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
  const said = (one, picture = LIVE) => assess(one, picture).evidence.join(" · ").replaceAll("\u00a0", " ");
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

test("a tile of several streams shows the worst state and names the stream", () => {
  const good = stream({ name: "good" });
  const words = (...streams) => {
    const { state, level, evidence } = assessAll(streams, LIVE);
    return [state, level, evidence[0]];
  };
  assert.deepEqual(words(good, good), ["current", "ok", "now"]);
  assert.deepEqual(words(good, ill({ level: "warn" })), ["current", "warn", "▲ warn: a"]);
  assert.deepEqual(words(good, ill({ state: "late" }), ill({ state: "failed", error: "gone" })).slice(0, 2), ["failed", "ok"]);
  assert.equal(words(good, ill({ state: "failed", error: "gone" }))[2], "✕ gone: a");
});

test("a tile that cannot be shown has failed, and says why", () => {
  const said = (error, picture = LIVE) => assessBroken(error, picture, [ill({ level: "critical" })]);
  assert.deepEqual(said(new TypeError("no such member")), {
    state: "failed", level: "ok", evidence: ["✕ cannot be shown: no such member", `value of ${clock(NOW - 2, NOW)}`],
  });
  assert.equal(said("why", { ...LIVE, status: "lost" }).state, "lost");
  assert.equal(said({ toString: 1 }).evidence[0], "✕ cannot be shown: unknown error");
  assert.ok(said(new Error("x".repeat(9999))).evidence[0].length < 250);
});
