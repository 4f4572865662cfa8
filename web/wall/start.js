/** Starts the wall. The last picture is shown at once; the server's answer follows as soon as it comes. */

import { connect } from "../client/link.js";
import { byId, setData, setText } from "../page/dom.js";
import { say } from "../text/words.js";
import { selectionOfAll } from "./configuration.js";
import { forgetPictures, loadPicture, savePicture } from "./last-picture.js";
import { Pairing } from "./pairing.js";
import { askServer } from "./refusal.js";
import { buildOf } from "./renewal.js";
import { isCommanded, screenName } from "./screen.js";
import { Tile } from "./tile.js";
import { Turns } from "./turns.js";

/** Seconds between two requests for the configuration, and between two times that a picture is stored. */
const RETRY = 5;
const SAVE_EVERY = 30;
/** Seconds between two requests that ask whether an administrator has let this screen in. */
const PAIR_EVERY = 2;
/** Seconds until the walls are asked for again, if a proxy or another node has answered with old ones. */
const OUTDATED = 60;

/** The codes of the errors for a browser that has no right to read, or has lost it. */
const WITHOUT_RIGHT = ["signed-out", "no-token", "bad-token"];

/**
 * @typedef {import("./configuration.js").WallConfiguration} WallConfiguration
 * @typedef {import("./playlist.js").Playlist} Playlist
 * @typedef {{playlist: Playlist, walls: WallConfiguration[]}} Program  what this screen shows
 */

customElements.define("wall-tile", Tile);
const asked = new URLSearchParams(document.location.search).get("wall");
const last = loadPicture(asked);
/** @type {Program|null} */
const before = last && { playlist: { name: screenName(), walls: [] }, walls: [last.configuration] };
/** @type {{save: () => void, change: (program: Program) => void, close: () => void}|null} */
let shown = before && show(before);
setInterval(() => shown?.save(), SAVE_EVERY * 1000);
addEventListener("pagehide", () => shown?.save());
// Browsers have service workers on TLS and localhost only.
if ("serviceWorker" in navigator) navigator.serviceWorker.register("worker.js").catch(() => {});
document.documentElement.setAttribute("data-running", ""); // boot.js may stop watching
/** Asks for access while this browser has none. */
const pairing = new Pairing();
/** The present program, the latest version of the walls that the server named, and whether a request for them is under way. */
let program = before;
let version = "";
let asking = false;
/** @type {ReturnType<typeof setTimeout>|undefined} */
let again;
await update();

/** Ask for the program, and show it if it has changed. */
async function update() {
  clearTimeout(again);
  asking = true;
  const told = await getProgram();
  asking = false;
  if (!shown) shown = show(told);
  else if (!program || comparable(told) !== comparable(program)) shown.change(told);
  program = told;
  if (isOutdated()) again = setTimeout(update, OUTDATED * 1000);
}

/** Whether the server has named another version of the walls than this page shows. */
function isOutdated() {
  const parts = version && program ? [program.playlist, ...program.walls] : [];
  return parts.some((/** @type {any} */ part) => part.version && part.version !== version);
}

/**
 * Note the builds of the server's page and walls. A page of another build reloads.
 * @param {import("../client/link.js").Configuration} told
 */
function hear({ build, walls }) {
  if (build !== buildOf(document)) return;
  version = walls;
  if (!asking && isOutdated()) void update();
}

/** Connect, and show the walls of a program. @param {Program} first */
function show({ playlist, walls }) {
  let streams = selectionOfAll(walls);
  const link = connect({ url: new URL("ws?pace=100ms", document.baseURI), streams });
  let turns = new Turns(link, playlist, walls, last);
  let status = link.status;
  link.addEventListener("configuration", (/** @type {any} */ { detail }) => hear(detail));
  link.addEventListener("link", () => {
    // Firefox closes a page's WebSocket before the page hears of its own end.
    if (link.status === "lost") savePicture(link, turns.configuration, asked, status);
    status = link.status;
  });
  link.addEventListener("error", (/** @type {any} */ { detail }) => {
    if (!WITHOUT_RIGHT.includes(detail.code)) return;
    signOut();
    document.location.reload(); // the page asks for its wall again, with whatever rights it has by then
  });
  const save = () => savePicture(link, turns.configuration, asked);
  const change = (/** @type {Program} */ { playlist, walls }) => {
    turns.close();
    const picture = link.at === null ? last : null;
    const wanted = selectionOfAll(walls);
    if (String(wanted) !== String(streams)) link.select(streams = wanted);
    turns = new Turns(link, playlist, walls, picture);
  };
  return { save, change, close: () => [turns, link].forEach((part) => part.close()) };
}

/**
 * Ask until the server answers. It also asks again for a wall that does not exist, which may be configured later.
 * @returns {Promise<Program>}
 */
async function getProgram() {
  for (;;) {
    try {
      const playlist = await getPlaylist();
      const first = playlist.walls.length ? null : (asked ?? (await askServer("walls")).walls[0]);
      const names = first ? [first] : [...new Set(playlist.walls.map(({ wall }) => wall))];
      const walls = await Promise.all(names.map((name) => askServer(`walls/${encodeURIComponent(name)}`)));
      pairing.close();
      return { playlist, walls };
    } catch (error) {
      if (error.cause === 404) blank();
      if (error.cause === 403) signOut(); // the last picture is of a wall that this browser may not read any more
      if (error.cause === 401) {
        signOut();
        if (await pairing.ask(error.code, { language: pageLanguage() })) continue;
      } else if (!shown) refuse(error);
    }
    await new Promise((resolve) => setTimeout(resolve, (pairing.isWaiting ? PAIR_EVERY : RETRY) * 1000));
  }
}

/**
 * Say in the band why the server has no wall for this page. If the server itself did not answer, the band says that there is no
 * connection.
 * @param {any} error  of askServer
 */
function refuse({ cause, message }) {
  setData(document.body, "link", "lost");
  setText(byId("lost"), cause ? `${message.charAt(0).toUpperCase()}${message.slice(1)}` : say("notConnected", { language: pageLanguage() }));
  setText(byId("lasting"), "");
  setText(byId("notice"), cause ? "" : message);
}

/** The language configured for all walls; without rights, the page cannot know a wall's own language. */
function pageLanguage() {
  return document.querySelector('meta[name="language"]')?.getAttribute("content") || undefined;
}

/** Show nothing, and store no picture. */
function blank() {
  const before = shown;
  shown = null;
  before?.close();
}

/** Show nothing, and forget the stored pictures: this browser may no longer read them. */
function signOut() {
  blank();
  forgetPictures();
}

/** The playlist of this screen; without walls, the screen shows the wall in its address. @returns {Promise<Playlist>} */
async function getPlaylist() {
  const playlist = await askServer(`screens/${screenName()}`).catch((error) => {
    if (error.cause !== 405) throw error;
    return { name: screenName(), walls: [] }; // another node is older, and knows no playlists
  });
  return isCommanded() ? { ...playlist, walls: [] } : playlist;
}

/** A program as text, without the build and the version: these change with other walls, too. @param {Program} program */
function comparable({ playlist, walls }) {
  return JSON.stringify([playlist.walls, playlist.dim, walls], (key, value) => (key === "build" || key === "version" ? undefined : value));
}
