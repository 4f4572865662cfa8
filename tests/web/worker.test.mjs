/** The service worker in a scope of its own: what it answers, and what it keeps. */

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import vm from "node:vm";

const WEB = new URL("../../web/", import.meta.url);
const ORIGIN = "http://wall.example:5000";
const INDEX = '<meta name="build" content="0123456789abcdef">';
const PORTAL = "<h1>Welcome to our Wi-Fi</h1>";

/**
 * A worker that was evaluated, and a network of these paths. `network` may be changed: a text, a status, or a function that
 * answers; a path that is missing is down.
 */
async function start(network = {}, root = "/") {
  const [listeners, kept, waiting] = [new Map(), new Map(), []];
  const path = (key) => new URL(key.url ?? key, ORIGIN + root).pathname;
  const type = (name) => ({ js: "text/javascript", css: "text/css", svg: "image/svg+xml", ttf: "font/ttf" })[name.split(".").at(-1)] ?? "text/html";
  const fetch = async (request, { signal } = {}) => {
    const found = network[path(request)];
    if (found === undefined) throw new TypeError("Failed to fetch");
    if (typeof found === "function") return found(signal);
    if (typeof found === "number") return new Response("", { status: found });
    return new Response(found, { headers: { "Content-Type": found === PORTAL ? "text/html" : type(path(request)) } });
  };
  const cache = {
    put: async (key, value) => void kept.set(path(key), await value.text()),
    match: async (key) => (kept.has(path(key)) ? new Response(kept.get(path(key))) : undefined),
    keys: async () => [...kept.keys()].map((key) => ({ url: ORIGIN + key })),
    delete: async (key) => kept.delete(path(key)),
  };
  let time = 1000;
  const timers = new Set();
  const self = {
    skipWaiting: async () => {}, clients: { claim: async () => {} }, registration: { scope: ORIGIN + root },
    addEventListener: (type, listener) => listeners.set(type, listener),
  };
  const scope = {
    self, fetch, URL, AbortController, Error, Response, Blob, caches: { open: async () => cache }, Date: { now: () => time },
    setInterval: (call) => (timers.add(call), call), clearInterval: (call) => timers.delete(call),
  };
  vm.runInNewContext(await readFile(new URL("worker.js", WEB), "utf8"), scope);
  const install = () => new Promise((resolve, reject) => listeners.get("install")({ waitUntil: (done) => done.then(resolve, reject) }));
  /** What the worker answers; undefined: it leaves the request to the browser. */
  const get = (url, request = {}) => {
    let answered;
    listeners.get("fetch")({
      request: { method: "GET", url: ORIGIN + url, ...request },
      respondWith: (answer) => (answered = answer),
      waitUntil: (done) => waiting.push(done),
    });
    return answered;
  };
  const text = async (...request) => {
    const got = await (await get(...request)).text();
    await Promise.all(waiting);
    return got;
  };
  const settle = () => new Promise((resolve) => setTimeout(resolve, 5));
  const pass = async (seconds) => {
    for (let i = 0; i < seconds; i++) {
      await settle();
      time += 1000;
      for (const call of timers) call();
    }
    await settle();
  };
  return { install, get, text, kept, network, pass };
}

test("the worker answers for all files of the page, and for nothing else", async () => {
  for (const root of ["/", "/board/"]) {
    const { get } = await start({}, root);
    const files = (await readdir(WEB, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    for (const { parentPath, path, name } of files) {
      const file = root + `${parentPath ?? path}/${name}`.slice(WEB.pathname.length).replace(/^\//, "");
      // The page for administrators needs the server, which does not serve its file under this name.
      if (file === `${root}admin.html`) continue;
      if (file.startsWith(`${root}admin`)) assert.equal(get(file), undefined, file);
      else if (!/\.(json|d\.ts)$/.test(file)) assert.ok(get(file)?.catch(() => {}), file);
    }
    for (const url of ["?wall=one", "inter.ttf", "marks/0123456789abcdef.svg"]) assert.ok(get(root + url)?.catch(() => {}), url);
    for (const url of ["state", "streams/a.js", "walls/a.css", "walls", "screens/x.html", "ws", "events", "admin", "streams/client/a.js"]) {
      assert.equal(get(root + url), undefined, url);
    }
    assert.equal(get(`${root}wall/start.js`, { method: "POST" }), undefined);
  }
  const { get } = await start({}, "/board/");
  for (const url of ["/", "/wall/start.js", "/other/", "/boards/icon.svg"]) assert.equal(get(url), undefined, url);
});

test("an address with the password for a proxy is that of the page", async () => {
  const { get, text, kept, network } = await start({ "/board/": INDEX }, "/board/");
  const url = ORIGIN.replace("//", "//ann:secret@") + "/board/?wall=one";
  assert.equal(await text("", { url }), INDEX);
  delete network["/board/"];
  assert.equal(await text("", { url }), INDEX);
  assert.deepEqual([...kept.keys()], ["/board/"]);
  assert.equal(get("", { url: url.replace("/board/", "/board/state") }), undefined);
});

test("an installed worker keeps what the page links to, and forgets the files of an older layout", async () => {
  for (const root of ["/", "/board/"]) {
    const index = `${INDEX}<link rel="preload" href="inter.ttf" as="font"><link href="kinds/list.css"><script src="wall/start.js"></script>`;
    const paths = ["inter.ttf", "kinds/list.css", "wall/start.js"].map((file) => root + file);
    const { install, kept } = await start({ [root]: index, ...Object.fromEntries(paths.map((path) => [path, "x"])) }, root);
    kept.set(`${root}tile.js`, "of 0.1.0");
    await install();
    assert.deepEqual([...kept.keys()].sort(), [root, ...paths]);
  }
});

test("a worker is not installed from a portal, nor with a file of a portal", async () => {
  const index = `${INDEX}<script src="wall/start.js"></script>`;
  for (const network of [{ "/": PORTAL }, { "/": index, "/wall/start.js": PORTAL }, { "/": index, "/wall/start.js": 404 }]) {
    const { install, kept } = await start(network);
    await assert.rejects(install());
    assert.equal(kept.size, 0);
  }
});

test("the cache serves only while the network is down, and never a page that renews itself", async () => {
  const { get, text, network } = await start({ "/wall/tile.js": "new" });
  assert.equal(await text("/wall/tile.js?screen=tv"), "new");
  network["/wall/tile.js"] = undefined;
  assert.equal(await text("/wall/tile.js"), "new");
  await assert.rejects(get("/wall/tile.js", { cache: "reload" }));
  network["/wall/tile.js"] = 502;
  assert.equal(await text("/wall/tile.js"), "new");
  assert.equal((await get("/wall/tile.js", { cache: "reload" })).status, 502);
});

test("the page of a portal or a maintenance replaces neither the stored wall nor its files", async () => {
  const { get, text, kept, network } = await start({ "/": INDEX, "/wall/tile.js": "tile" });
  for (const path of ["/", "/wall/tile.js"]) {
    await text(path);
    network[path] = PORTAL;
    const stored = path === "/" ? INDEX : "tile";
    assert.equal(await text(path), stored);
    assert.equal(kept.get(path), stored);
    assert.equal(await text(path, { cache: "reload" }), PORTAL, "a page that renews itself judges for itself");
    assert.equal(kept.get(path), stored);
  }
  for (const status of [302, 401, 404]) {
    network["/"] = status;
    assert.equal((await get("/")).status, status, "somebody has to log in");
  }
  assert.equal(kept.get("/"), INDEX);
});

test("without a stored wall, whatever the network answers is shown", async () => {
  const { text, kept } = await start({ "/": PORTAL });
  assert.equal(await text("/"), PORTAL);
  assert.equal(kept.size, 0);
});

test("a body that takes a minute is neither cut off nor kept in part", async () => {
  let body;
  const slow = (signal) => new Response(new ReadableStream({
    start(controller) {
      body = controller;
      signal.addEventListener("abort", () => controller.error(signal.reason));
    },
  }));
  const worker = await start({ "/wall/tile.js": slow });
  const answer = worker.text("/wall/tile.js");
  await worker.pass(60);
  assert.equal(worker.kept.size, 0);
  body.enqueue(new TextEncoder().encode("whole"));
  body.close();
  assert.equal(await answer, "whole");
  assert.equal(worker.kept.get("/wall/tile.js"), "whole");
  worker.text("/wall/tile.js").catch(() => {});
  await worker.pass(1);
  body.error(new Error("broken off"));
  await worker.pass(1);
  assert.equal(worker.kept.get("/wall/tile.js"), "whole");
});

test("a server that is silent for five seconds counts as down, but not while other files arrive", async () => {
  const hang = (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const worker = await start({ "/wall/tile.js": "known", "/wall/wall.css": "other" });
  await worker.text("/wall/tile.js");
  worker.network["/wall/tile.js"] = hang;
  let got;
  void worker.text("/wall/tile.js").then((text) => (got = text));
  for (let i = 0; i < 5; i++) {
    await worker.pass(4);
    await worker.text("/wall/wall.css");
  }
  assert.equal(got, undefined);
  await worker.pass(7);
  assert.equal(got, "known");
});
