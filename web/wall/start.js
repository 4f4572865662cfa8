/** Starts the wall. The last picture is shown at once; the server's answer follows as soon as it comes. */

import { connect } from "../client/link.js";
import { byId, setText } from "../page/dom.js";
import { selectionOf } from "./configuration.js";
import { loadPicture, savePicture } from "./last-picture.js";
import { askServer } from "./refusal.js";
import { Screen } from "./screen.js";
import { Tile } from "./tile.js";
import { Wall } from "./wall.js";

/** Seconds between two requests for the configuration, and between two pictures that are stored. */
const RETRY = 5;
const SAVE_EVERY = 30;

/** @typedef {import("./configuration.js").WallConfiguration} WallConfiguration */

customElements.define("wall-tile", Tile);
const asked = new URLSearchParams(document.location.search).get("wall");
const last = loadPicture(asked);
/** @type {{save: () => void, close: () => void}|null} */
let shown = last && show(last.configuration);
setInterval(() => shown?.save(), SAVE_EVERY * 1000);
addEventListener("pagehide", () => shown?.save());
// Browsers have service workers on TLS and localhost only.
if ("serviceWorker" in navigator) navigator.serviceWorker.register("worker.js").catch(() => {});
document.documentElement.setAttribute("data-running", ""); // boot.js may stop watching
const configuration = await getConfiguration();
if (!shown || comparable(configuration) !== comparable(last?.configuration)) {
  shown?.close();
  shown = show(configuration);
}

/** @param {WallConfiguration} configuration */
function show(configuration) {
  const link = connect({ url: new URL("ws?pace=100ms", document.baseURI), streams: selectionOf(configuration) });
  let status = link.status;
  link.addEventListener("link", () => {
    // Firefox closes a page's WebSocket before the page hears of its own end.
    if (link.status === "lost") savePicture(link, configuration, asked, status);
    status = link.status;
  });
  const parts = [new Screen(link, configuration.name), new Wall(link, configuration, last), link];
  return { save: () => savePicture(link, configuration, asked), close: () => parts.forEach((part) => part.close()) };
}

/** Ask until the server answers. A wall that does not exist may be configured later. @returns {Promise<WallConfiguration>} */
async function getConfiguration() {
  for (;;) {
    try {
      const wall = asked ?? (await askServer("walls")).walls[0];
      return await askServer(`walls/${encodeURIComponent(wall)}`);
    } catch (error) {
      if (error.cause === 404) {
        shown?.close();
        shown = null;
      }
      if (!shown) setText(byId("notice"), error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY * 1000));
  }
}

/** A configuration as text, without the build: a page that belongs to another build renews itself anyway. */
function comparable(configuration) {
  return JSON.stringify(configuration, (key, value) => (key === "build" ? undefined : value));
}
