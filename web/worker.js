/**
 * The service worker keeps the page's files, for a start without a server. It asks the network first and answers from its cache
 * only if the network fails, or if the answer is not streamd's. It never keeps values. It stays at the top of web/: its folder is
 * its scope, which is not the root of the host behind some proxies.
 */

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
/** The address of the page, with a slash at the end. */
const SCOPE = new URL(worker.registration.scope);
/** Two servers on one host, under different paths, keep their files apart. */
const CACHE = SCOPE.pathname === "/" ? "streamd" : `streamd ${SCOPE.pathname}`;
/**
 * Seconds without any byte from the server after which it counts as down. On a slow line, bytes of other files come meanwhile.
 */
const SILENCE = 5;
/**
 * The page's files. Requests for anything else (state, streams, walls, …) go past this worker, even for a stream with the name
 * "x.js".
 */
const FILE = /^((client|draw|kinds|marks|page|parts|text|wall)\/)?([\w-]+\.(js|css|svg|html|ttf))?$/;
/** The build in the page. A page without it is not streamd's: a portal, a login or a maintenance page. */
const MARK = /<meta name="build" content="[0-9a-f]{16}">/;

/** When the last byte came from the server, in milliseconds. */
let heard = 0;

worker.addEventListener("install", (event) => event.waitUntil(fill().then(() => worker.skipWaiting())));
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && isFile(url)) event.respondWith(get(event));
});

async function get(event) {
  const { request } = event;
  const cache = await caches.open(CACHE);
  /** @type {any} */
  let answer;
  try {
    answer = await fetchHead(request);
    if (answer.status < 500 && (!answer.ok || (await isOurs(request.url, answer)))) {
      if (answer.ok) event.waitUntil(keep(cache, request.url, answer.clone()));
      return answer; // also a redirect, and a request for a password: somebody has to see them
    }
  } catch (error) {
    answer = error;
  }
  const known = await cache.match(bare(request.url));
  if (known && request.cache !== "reload") return known; // a page that renews itself must not get its own old files
  if (answer instanceof Error) throw answer;
  return answer;
}

/** Fetch, with a time-out for the head only. A body may take as long as the line needs. */
async function fetchHead(request) {
  const abort = new AbortController();
  const began = Date.now();
  const timer = setInterval(() => {
    if (Date.now() - Math.max(heard, began) > SILENCE * 1000) abort.abort();
  }, 500);
  try {
    const answer = await fetch(request, { signal: abort.signal });
    heard = Date.now();
    return answer;
  } finally {
    clearInterval(timer);
  }
}

/** Whether an answer is streamd's: the page has `MARK`, and every other file is not a page. */
async function isOurs(url, answer) {
  if (isPage(url)) return MARK.test(await answer.clone().text());
  return !answer.headers.get("Content-Type")?.startsWith("text/html");
}

/** Put an answer into the cache when its body is whole. Each part of it shows that the server still answers. */
async function keep(cache, url, answer) {
  const { status, headers } = answer;
  const parts = [];
  try {
    const reader = answer.body.getReader();
    for (let part; !(part = await reader.read()).done; heard = Date.now()) parts.push(part.value);
    await cache.put(bare(url), new Response(new Blob(parts), { status, headers }));
  } catch {
    // The connection broke, or the storage is full: the older file stays.
  }
}

/** Put the page and all files that it links to into the cache, and remove files of an older page. */
async function fill() {
  const cache = await caches.open(CACHE);
  const page = await fetch(SCOPE.href);
  const text = await page.clone().text();
  const links = [...text.matchAll(/(?:href|src)="([\w-]+(?:\/[\w-]+)*\.\w+)"/g)].map(([, link]) => new URL(link, SCOPE).href);
  const answers = new Map([[SCOPE.href, page]]);
  await Promise.all(links.map(async (link) => answers.set(link, await fetch(link))));
  for (const [url, answer] of answers) if (!answer.ok || !(await isOurs(url, answer))) throw new Error(`${url} is not streamd's`);
  for (const [url, answer] of answers) await cache.put(url, answer);
  for (const { url } of await cache.keys()) if (!answers.has(url)) await cache.delete(url);
}

function isFile(url) {
  return bare(url).startsWith(SCOPE.href) && FILE.test(pathOf(url));
}

function isPage(url) {
  return ["", "index.html"].includes(pathOf(url));
}

/** The path of an address, relative to the scope. */
function pathOf(url) {
  return bare(url).slice(SCOPE.href.length);
}

/**
 * A file's address without "?wall=…&screen=…", because one copy serves all walls and screens, and without the user and the
 * password that a proxy asks for.
 */
function bare(url) {
  return url.split(/[?#]/, 1)[0].replace(/^(\w+:\/\/)[^/@]*@/, "$1");
}
