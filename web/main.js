/** What index.html starts: at once the last picture, if there is one, and what the server says as soon as it does. */

import { Screen } from "./screen.js";
import { keep, recall } from "./stored.js";
import { connect } from "./streamd.js";
import { Tile } from "./tile.js";
import { Wall } from "./wall.js";

/** Seconds between two attempts to get the wall's plan, and between two pictures kept. */
const AGAIN = 5;
const KEEP = 30;

customElements.define("wall-tile", Tile);
const asked = new URLSearchParams(document.location.search).get("wall");
const stored = recall(asked);
/** @type {{store: () => void, close: () => void}|null} */
let shown = stored && show(stored.plan);
setInterval(() => shown?.store(), KEEP * 1000);
addEventListener("pagehide", () => shown?.store());
if ("serviceWorker" in navigator) navigator.serviceWorker.register("worker.js").catch(() => {}); // on TLS and localhost alone
const plan = await getPlan();
if (!shown || text(plan) !== text(stored?.plan)) {
  shown?.close();
  shown = show(plan);
}

/** @param {import("./plan.js").Plan} plan */
function show(plan) {
  const names = plan.tiles.flatMap((tile) => ("streams" in tile ? tile.streams : [tile.stream]));
  const link = connect({ url: new URL("ws?pace=100ms", document.baseURI), streams: names.includes("*") ? undefined : names });
  const parts = [new Screen(link, plan.name), new Wall(link, plan, stored), link];
  return { store: () => keep(link, plan, asked), close: () => parts.forEach((part) => part.close()) };
}

/** What the wall shows; a wall that does not exist is told, and waited for. @returns {Promise<import("./plan.js").Plan>} */
async function getPlan() {
  for (;;) {
    try {
      const wall = asked ?? (await (await get("walls")).json()).walls[0];
      const answer = await get(`walls/${encodeURIComponent(wall)}`);
      if (answer.ok) return await answer.json();
      const { error } = await answer.json(); // a proxy's page is none of ours
      if (answer.status === 404) {
        shown?.close();
        shown = null;
      }
      if (!shown) notice(error.message);
    } catch {
      if (!shown) notice("The server does not answer");
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN * 1000));
  }
}

/** A server that hangs is asked again. */
function get(url) {
  return fetch(url, { signal: AbortSignal.timeout(2000 * AGAIN) });
}

/** A plan, to compare. Of another build the page is another soon. @param {object} [plan] */
function text(plan) {
  return JSON.stringify(plan, (key, value) => (key === "build" ? undefined : value));
}

function notice(text) {
  /** @type {HTMLElement} */ (document.getElementById("notice")).textContent = text;
}
