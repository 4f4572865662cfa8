/** What index.html starts. */

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
const plan = (await getPlan(asked));
const names = plan.tiles.flatMap(({ stream, streams }) => streams ?? [stream]);
const link = connect({ url: new URL("ws?pace=100ms", document.baseURI), streams: names.includes("*") ? undefined : names });
new Wall(link, plan, recall(plan.name));
new Screen(link, plan.name);
setInterval(() => keep(link, plan.name), KEEP * 1000);
addEventListener("pagehide", () => keep(link, plan.name));
if ("serviceWorker" in navigator) navigator.serviceWorker.register("worker.js").catch(() => {}); // on TLS and localhost alone

/** What the wall shows; a wall that does not exist is told, and waited for. @returns {Promise<import("./plan.js").Plan>} */
async function getPlan(name) {
  for (;;) {
    try {
      const wall = name ?? (await (await get("walls")).json()).walls[0];
      const answer = await get(`walls/${encodeURIComponent(wall)}`);
      if (answer.ok) return await answer.json();
      notice((await answer.json()).error.message);
    } catch {
      notice("The server does not answer");
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN * 1000));
  }
}

/** A server that hangs is asked again. */
function get(url) {
  return fetch(url, { signal: AbortSignal.timeout(2000 * AGAIN) });
}

function notice(text) {
  /** @type {HTMLElement} */ (document.getElementById("notice")).textContent = text;
}
