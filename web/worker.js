/**
 * The service worker: the page itself, for a start without a server. It serves from the network, and what it had only if there is
 * none. Values are never kept here.
 */

const CACHE = "streamd";
/** Milliseconds for an answer: a server that hangs is none. */
const PATIENCE = 5000;
/** What the page is made of; the rest (state, walls, streams …) is never asked of the cache. */
const PAGE = /^\/([\w-]+\.(js|css|svg|html))?$/;

addEventListener("install", (event) => event.waitUntil(fill().then(() => self.skipWaiting())));
addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method === "GET" && url.origin === location.origin && PAGE.test(url.pathname)) event.respondWith(get(event.request));
});

async function get(request) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE) });
    if (answer.status >= 500) throw new Error(`${answer.status}`); // a proxy without a server
    if (answer.ok) await cache.put(bare(request.url), answer.clone()).catch(() => {}); // the storage may be full
    return answer;
  } catch (error) {
    const known = await cache.match(bare(request.url));
    if (known && request.cache !== "reload") return known; // a page that renews itself wants the new one or none
    throw error;
  }
}

/** Everything that the page links to. */
async function fill() {
  const cache = await caches.open(CACHE);
  const page = await (await fetch("/")).text();
  const links = [...page.matchAll(/(?:href|src)="([\w-]+\.\w+)"/g)].map(([, link]) => `/${link}`);
  await cache.addAll(["/", ...links]);
}

/** Which wall and screen it is does not matter to the page's files. */
function bare(url) {
  return url.split("?", 1)[0];
}
