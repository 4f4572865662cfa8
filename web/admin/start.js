/** The page for administrators: signs in and out, and shows the state of everything every few seconds. */

import { byId, setText } from "../page/dom.js";
import { onSubmit, sayDone, sentence, whenChanged } from "./actions.js";
import { Links } from "./links.js";
import { at } from "./place.js";
import { Refused } from "./refused.js";
import { ScreenList } from "./screens.js";
import { ask } from "./server.js";
import { Sessions } from "./sessions.js";
import { WaitingScreens } from "./waiting.js";

/** Milliseconds between two requests, the same as for a waiting screen. */
const PAUSE = 2000;

const waiting = new WaitingScreens();
const screens = new ScreenList();
const links = new Links();
const sessions = new Sessions();
const refused = new Refused();

/** When the server last answered, in seconds since the epoch. */
let answered = 0;
/** Whether an administrator was signed in: if so, the page says that the session has ended. */
let wasIn = false;
/** @type {ReturnType<typeof setTimeout>|undefined} */
let next;

async function look() {
  clearTimeout(next);
  try {
    const session = await ask("GET", "admin/session");
    if (session.admin) await showDesk(session);
    else showLogin(session.possible, wasIn ? "This browser was signed out." : "");
    answered = Date.now() / 1000;
    setLost("");
  } catch (error) {
    setLost(`${sentence(error.message)}${answered ? ` All below is of ${at(answered)}.` : ""}`);
  }
  if (!document.hidden) next = setTimeout(look, PAUSE);
}

/** Show the lists, for an administrator who is signed in. @param {{name: string, id: string, until: number|null}} session */
async function showDesk({ name, id, until }) {
  const [{ grants }, { screens: reports }, { waiting: asking }, { walls }, { refused: attempts }] = await Promise.all(
    ["grants", "screens", "pairing", "walls", "admin/refusals"].map((path) => ask("GET", path)),
  );
  waiting.show(asking, walls);
  screens.show(grants, reports, walls);
  links.show(grants, walls);
  sessions.show(grants, id);
  refused.show(attempts);
  setText(byId("who"), until === null ? name : `${name}, until ${at(until)}`);
  byId("leave").hidden = !id;
  byId("login").hidden = true;
  byId("desk").hidden = false;
  wasIn = true;
}

/** Show the form for the token, with the reason why it is asked for. @param {boolean} possible @param {string} why */
function showLogin(possible, why) {
  const cure = "Nobody can sign in: [access] admin in streamd.toml lists no token.";
  const isNew = byId("login").hidden;
  setText(byId("why"), possible ? why || "With a token of [access] admin in streamd.toml." : cure);
  setText(byId("who"), "");
  byId("leave").hidden = byId("desk").hidden = true;
  byId("login").hidden = false;
  const token = /** @type {HTMLInputElement} */ (byId("token"));
  token.disabled = !possible;
  if (isNew) token.focus();
}

/** Mark the page as outdated while the server does not answer. @param {string} text */
function setLost(text) {
  document.body.dataset.link = text ? "lost" : "there";
  byId("band").hidden = !text;
  setText(byId("band"), text);
}

/** The token as a header: one character for each byte in UTF-8, because a header carries bytes. @param {string} token */
function headerOf(token) {
  return { "Streamd-Token": String.fromCharCode(...new TextEncoder().encode(token)) };
}

onSubmit(/** @type {HTMLFormElement} */ (byId("signing")), async () => {
  const token = /** @type {HTMLInputElement} */ (byId("token"));
  const session = await ask("POST", "admin/session", undefined, headerOf(token.value.trim()));
  token.value = "";
  return `Signed in as ${session.name}`;
});

byId("leave").addEventListener("click", async () => {
  try {
    await ask("DELETE", "admin/session");
    wasIn = false;
    sayDone("Signed out");
  } catch (error) {
    sayDone(sentence(error.message));
  }
  void look();
});

whenChanged(() => void look());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void look();
});
void look();
