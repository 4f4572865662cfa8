import assert from "node:assert/strict";
import { test } from "node:test";

import { loadPicture, savePicture } from "../../../web/wall/last-picture.js";
import { NOW, stream } from "../streams.mjs";

/** A storage with room for so many characters, in place of the browser's until the test ends. */
function storage(t, room = Infinity) {
  const items = new Map();
  globalThis.localStorage = {
    getItem: (key) => items.get(key) ?? null,
    setItem(key, text) {
      if (text.length > room) throw new Error("QuotaExceededError");
      items.set(key, text);
    },
  };
  t.after(() => delete globalThis.localStorage);
  return items;
}

const configuration = { name: "one", title: "One", theme: "dark", rotate: 15, tiles: [{ stream: "*" }] };
const link = (streams, status = "live", lostSince = null) => ({ status, lostSince, now: () => NOW, streams: new Map(streams.map((each) => [each.name, each])) });

test("a picture comes back with its values, and without their health", (t) => {
  storage(t);
  savePicture(link([stream({ description: { unit: "ms" } })]), configuration, "one");
  const { streams, ...rest } = loadPicture("one");
  assert.deepEqual(rest, { configuration, time: NOW });
  assert.deepEqual([...streams.values()], [{ name: "a", description: { unit: "ms" }, seq: 1, time: NOW - 2, value: 42, health: {}, missed: 0 }]);
  assert.equal(loadPicture(null), null, "each wall has its own");
});

test("a picture of version 0.1.0 can be read", (t) => {
  const items = storage(t);
  items.set("streamd.picture.", JSON.stringify({ plan: configuration, time: NOW, streams: [{ name: "a", description: {}, seq: 1, time: NOW, value: 1 }] }));
  assert.deepEqual(loadPicture(null).configuration, configuration);
});

test("only a current picture is stored", (t) => {
  const items = storage(t);
  for (const status of ["lost", "catching-up", "connecting", "closed"]) savePicture(link([stream()], status), configuration, null);
  assert.equal(items.size, 0);
});

test("a picture is stored when the link is lost, with the time of the loss", (t) => {
  storage(t);
  savePicture(link([stream()], "lost", NOW - 3), configuration, null, "live");
  assert.equal(loadPicture(null).time, NOW - 3);
  savePicture(link([stream()], "lost", NOW - 1), configuration, null, "catching-up");
  assert.equal(loadPicture(null).time, NOW - 3);
});

test("a picture is bounded, and a large value is left out of it", (t) => {
  const items = storage(t);
  savePicture(link([stream({ value: "x".repeat(5000) })]), configuration, null);
  assert.equal(loadPicture(null).streams.get("a").value, null);
  items.clear();
  savePicture(link(Array.from({ length: 400 }, (_, i) => stream({ name: `s${i}`, value: "x".repeat(3000) }))), configuration, null);
  assert.equal(items.size, 0);
});

test("a value whose digits would be lost is left out of a picture", (t) => {
  storage(t);
  savePicture(link([stream({ value: 9_007_199_254_740_992, exact: 9_007_199_254_740_993n })]), configuration, null);
  assert.equal(loadPicture(null).streams.get("a").value, null);
});

test("a storage that is full, blocked or damaged does no harm", (t) => {
  const items = storage(t, 10);
  savePicture(link([stream()]), configuration, null);
  for (const text of ["", "null", "{}", "nonsense", '{"streams": 5}']) {
    items.set("streamd.picture.", text);
    assert.equal(loadPicture(null), null, text);
  }
  delete globalThis.localStorage;
  savePicture(link([stream()]), configuration, null);
  assert.equal(loadPicture(null), null);
});
