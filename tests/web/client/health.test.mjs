import assert from "node:assert/strict";
import { test } from "node:test";

import { connected, dueTime, knownUntil, stateOf, validity } from "../../../web/client/health.js";
import { ill, LIVE, NOW, stream } from "../streams.mjs";

test("a value is current only if link, journal, source and time agree", () => {
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
  for (const [state, one, picture] of cases) assert.equal(stateOf(one, picture), state);
});

test("a stream is late before the server says so, but not while its proof may be on the way", () => {
  const due = (proof, tick = 5) => stateOf(stream({ ...ill({ proof: NOW - proof }), description: { expect: 6 } }), { ...LIVE, tick });
  assert.deepEqual([due(5), due(10.9), due(11.1), due(500)], ["current", "current", "late", "late"]);
  assert.deepEqual(validity(stream({ description: { expect: 6 } }), 5), { from: NOW - 2, span: 11 });
  assert.equal(validity(stream(), 5), null);
  const never = { ...ill({ proof: null }), seq: 0, description: { expect: 6 } };
  assert.equal(stateOf(never, { ...LIVE, tick: 5 }), "waiting");
  const silent = { ...never, health: { state: "late", proof: null } };
  assert.equal(stateOf(silent, LIVE), "waiting");
  assert.equal(stateOf({ ...silent, health: { ...silent.health, error: "messages may be missing" } }, LIVE), "late");
});

test("a value is known until now, until its proof, or until the link was lost", () => {
  assert.equal(knownUntil(stream(), LIVE), NOW);
  assert.equal(knownUntil(ill({ state: "failed" }), LIVE), NOW - 2);
  assert.equal(knownUntil(stream(), { ...LIVE, lost: NOW - 60 }), NOW - 60);
  assert.equal(knownUntil(stream(), { ...LIVE, journal: { state: "away" } }), NOW - 2);
});

test("a stream without expect is never due", () => {
  assert.equal(dueTime(stream({ description: { expect: 6 } })), NOW + 4);
  assert.ok(Number.isNaN(dueTime(stream())));
  assert.ok(Number.isNaN(dueTime(stream({ health: {}, description: { expect: 6 } }))));
});

test("a link is connected while it is live or catching up", () => {
  const found = ["connecting", "catching-up", "live", "lost", "closed"].filter((status) => connected(status));
  assert.deepEqual(found, ["catching-up", "live"]);
});
