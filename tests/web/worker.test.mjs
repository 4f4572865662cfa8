/** The service worker in a scope of its own: what it answers, and what it keeps. */

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import vm from "node:vm";

const WEB = new URL("../../web/", import.meta.url);
const ORIGIN = "http://wall.example:5000";

/** A worker that was evaluated, and a network of these paths. `network` may be changed; a path that is missing is down. */
async function start(network = {}) {
  const [listeners, kept] = [new Map(), new Map()];
  const path = (key) => new URL(key.url ?? key, ORIGIN).pathname;
  const answer = (text, status = 200) => ({ status, ok: status < 400, text: async () => text, clone: () => answer(text, status) });
  const fetch = async (request) => {
    const found = network[path(request)];
    if (found === undefined) throw new TypeError("Failed to fetch");
    return typeof found === "number" ? answer("", found) : answer(found);
  };
  const cache = {
    put: async (key, value) => void kept.set(path(key), value),
    match: async (key) => kept.get(path(key)),
    addAll: async (keys) => void (await Promise.all(keys.map(async (key) => kept.set(path(key), await fetch(key))))),
    keys: async () => [...kept.keys()].map((key) => ({ url: ORIGIN + key })),
    delete: async (key) => kept.delete(path(key)),
  };
  const self = { skipWaiting: async () => {}, clients: { claim: async () => {} } };
  const scope = {
    self, fetch, URL, AbortSignal, Error, location: { origin: ORIGIN }, caches: { open: async () => cache },
    addEventListener: (type, listener) => listeners.set(type, listener),
  };
  vm.runInNewContext(await readFile(new URL("worker.js", WEB), "utf8"), scope);
  const install = () => new Promise((resolve, reject) => listeners.get("install")({ waitUntil: (done) => done.then(resolve, reject) }));
  /** What the worker answers; undefined: it leaves the request to the browser. */
  const get = (url, request = {}) => {
    let answered;
    listeners.get("fetch")({ request: { method: "GET", url: ORIGIN + url, ...request }, respondWith: (answer) => (answered = answer) });
    return answered;
  };
  return { install, get, kept, network };
}

test("the worker answers for all files of the page, and for nothing else", async () => {
  const { get } = await start();
  const files = (await readdir(WEB, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  for (const { parentPath, path, name } of files) {
    const file = `/${`${parentPath ?? path}/${name}`.slice(WEB.pathname.length).replace(/^\//, "")}`;
    if (!file.endsWith(".json")) assert.ok(get(file)?.catch(() => {}), file);
  }
  assert.ok(get("/?wall=one").catch(() => {}));
  for (const url of ["/state", "/streams/a.js", "/walls/a.css", "/walls", "/screens/x.html", "/ws", "/events", "/streams/client/a.js"]) {
    assert.equal(get(url), undefined, url);
  }
  assert.equal(get("/wall/start.js", { method: "POST" }), undefined);
});

test("an installed worker keeps what the page links to, and forgets the files of an older layout", async () => {
  const index = '<link rel="icon" href="icon.svg"><link href="kinds/list.css"><script src="wall/start.js"></script>';
  const { install, kept } = await start({ "/": index, "/icon.svg": "i", "/kinds/list.css": "c", "/wall/start.js": "s" });
  kept.set("/tile.js", "of 0.1.0");
  await install();
  assert.deepEqual([...kept.keys()].sort(), ["/", "/icon.svg", "/kinds/list.css", "/wall/start.js"]);
});

test("the cache serves only while the network is down, and never a page that renews itself", async () => {
  const { get, network } = await start({ "/wall/tile.js": "new" });
  const text = async (answer) => (await answer).text();
  assert.equal(await text(get("/wall/tile.js?screen=tv")), "new");
  for (const down of [undefined, 502]) {
    network["/wall/tile.js"] = down;
    assert.equal(await text(get("/wall/tile.js")), "new");
    await assert.rejects(get("/wall/tile.js", { cache: "reload" }));
  }
});
