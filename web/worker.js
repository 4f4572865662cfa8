/**
 * The service worker keeps the page's files, for a start without a server. It asks the network first and answers from its cache
 * only if the network fails. It never keeps values. It stays at the top of web/: its path is its scope.
 */

const CACHE = "streamd";
/** Milliseconds for an answer: a server that hangs counts as down. */
const TIMEOUT = 5000;
/** The page's files. Everything else (state, streams, walls …) goes past this worker, also a stream that is called "x.js". */
const PAGE = /^\/((client|draw|kinds|page|text|wall)\/)?([\w-]+\.(js|css|svg|html))?$/;

addEventListener("install", (event) => event.waitUntil(fill().then(() => self.skipWaiting())));
addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method === "GET" && url.origin === location.origin && PAGE.test(url.pathname)) event.respondWith(get(event.request));
});

async function get(request) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(TIMEOUT) });
    if (answer.status >= 500) throw new Error(`${answer.status}`); // a proxy without a server behind it
    if (answer.ok) await cache.put(withoutQuery(request.url), answer.clone()).catch(() => {}); // the storage may be full
    return answer;
  } catch (error) {
    const known = await cache.match(withoutQuery(request.url));
    if (known && request.cache !== "reload") return known; // a page that renews itself must not get its own old files
    throw error;
  }
}

/** Put the page and everything that it links to into the cache, and remove the files of an older layout. */
async function fill() {
  const cache = await caches.open(CACHE);
  const page = await (await fetch("/")).text();
  const links = [...page.matchAll(/(?:href|src)="([\w-]+(?:\/[\w-]+)*\.\w+)"/g)].map(([, link]) => `/${link}`);
  const files = new Set(["/", ...links]);
  await cache.addAll([...files]);
  for (const { url } of await cache.keys()) if (!files.has(new URL(url).pathname)) await cache.delete(url);
}

/** A file's address without "?wall=…&screen=…": one copy serves all walls and screens. */
function withoutQuery(url) {
  return url.split("?", 1)[0];
}
