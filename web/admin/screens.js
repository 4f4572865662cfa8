/** The screens: the state of each, and the actions of an administrator. */

import { addElement, byId, setData, setText } from "../page/dom.js";
import { addButtons, addForm, confirmed, showChoices } from "./actions.js";
import { ago, lasting } from "./place.js";
import { Rows } from "./rows.js";
import { ask, part } from "./server.js";

/**
 * A screen of the list.
 * @typedef {object} Screen
 * @property {string} name
 * @property {Grant} [grant]  undefined: it needs none, because everybody may read or a proxy lets it in
 * @property {any} [report]  its entry in `GET /screens`; undefined: it has never connected
 */

/**
 * An entry of `GET /grants`. A screen with a table in `[[screens]]` shows the walls of that table.
 * @typedef {{id: string, kind: string, name: string, wall: string, walls: string[], table: boolean, made: number, seen: number, until: number}} Grant
 */

export class ScreenList {
  /** @type {string[]} */
  #walls = [];
  /** @type {Rows<Screen>} */
  #rows = new Rows(byId("screens"), ({ name, grant }) => (grant ? `${grant.id} ${grant.table}` : name), (screen) => this.#make(screen));

  /** @param {Grant[]} grants @param {Record<string, any>} reports @param {string[]} walls */
  show(grants, reports, walls) {
    this.#walls = walls;
    const own = grants.filter(({ kind }) => kind === "screen");
    const names = new Set(own.map(({ name }) => name));
    const others = Object.keys(reports).filter((name) => !names.has(name));
    const known = (name) => (Object.hasOwn(reports, name) ? reports[name] : undefined);
    const screens = [
      ...own.map((grant) => ({ name: grant.name, grant, report: known(grant.name) })),
      ...others.map((name) => ({ name, report: known(name) })),
    ];
    screens.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
    byId("none").hidden = screens.length > 0;
    const connected = screens.filter(({ report }) => report?.connected).length;
    setText(byId("connected"), screens.length ? `${connected} of ${screens.length} connected` : "");
    this.#rows.show(screens);
  }

  /** Make the row of a screen, with its commands. @param {Screen} first */
  #make(first) {
    let screen = first;
    const element = addElement("li", "screen");
    const details = /** @type {HTMLDetailsElement} */ (addElement("details", "", element));
    const summary = addElement("summary", "", details);
    const name = addElement("strong", "name", summary);
    const wall = addElement("span", "wall", summary);
    const state = addElement("span", "state", summary);
    const more = addElement("span", "more", summary);
    const tell = () => setText(more, details.open ? "Close" : "Change");
    details.addEventListener("toggle", tell);
    tell();
    const about = addElement("p", "about", details);
    const place = /** @type {HTMLSelectElement} */ (document.createElement("select"));
    if (first.grant) this.#addRename(details, () => screen);
    const isMoved = first.grant !== undefined && !first.grant.table;
    if (isMoved) addForm(details, "Wall", [place], "Move", () => move(screen, place.value));
    const commands = /** @type {HTMLFieldSetElement} */ (addElement("fieldset", "", details));
    if (!isMoved) addForm(commands, "Wall", [place], "Show", () => show(screen, place.value));
    addMessage(commands, () => screen);
    addButtons(commands, {
      "Show its name": () => command(screen, { command: "identify" }, "shows its name"),
      "Reload": () => command(screen, { command: "reload" }, "reloads"),
      ...(isMoved ? {} : { "Its own walls": () => command(screen, { command: "playlist" }, "shows its own walls") }),
    });
    if (first.grant) addButtons(details, { "Revoke …": () => revoke(screen) });
    return {
      element,
      /** @param {Screen} now */
      write: (now) => {
        const moved = now.grant?.wall !== screen.grant?.wall;
        screen = now;
        setText(name, now.name);
        setText(wall, wallOf(now));
        setText(state, stateOf(now));
        setText(about, aboutOf(now));
        setData(element, "connected", now.report?.connected ? "" : undefined);
        commands.disabled = !now.report?.connected;
        showChoices(place, (now.grant?.table ? now.grant.walls : this.#walls).map((each) => [each, each]));
        if (moved || !place.dataset.set) place.value = wallOf(now);
        place.dataset.set = "";
      },
    };
  }

  /** Add the form that renames a screen. @param {HTMLElement} parent @param {() => Screen} current */
  #addRename(parent, current) {
    const name = textInput(current().name);
    addForm(parent, "Name", [name], "Rename", async () => {
      const screen = current();
      const changed = await ask("POST", `grants/${part(screen.grant?.id ?? "")}`, { name: name.value.trim() });
      return `${screen.name} is called ${changed.name}`;
    });
  }
}

/** Add the form that shows a message on a screen. @param {HTMLElement} parent @param {() => Screen} current */
function addMessage(parent, current) {
  const text = textInput("");
  text.maxLength = 500;
  const lasts = document.createElement("select");
  lasts.setAttribute("aria-label", "For how long");
  showChoices(lasts, [["30s", "for 30 s"], ["5min", "for 5 min"], ["1h", "for 1 h"]]);
  addForm(parent, "Message", [text, lasts], "Show", async () => {
    const done = await command(current(), { command: "message", message: text.value, for: lasts.value }, "shows the message");
    text.value = "";
    return done;
  });
}

/** A required field for text. @param {string} value */
function textInput(value) {
  const input = document.createElement("input");
  input.value = value;
  input.required = true;
  input.autocomplete = "off";
  return input;
}

/** The wall that a screen shows; if that is unknown, the wall that it may read. @param {Screen} screen */
function wallOf({ grant, report }) {
  return (report?.connected && report.wall) || grant?.wall || report?.wall || "";
}

/** Whether a screen is connected, or when it was last seen, as text. @param {Screen} screen */
function stateOf({ grant, report }) {
  if (report?.connected) return `connected for ${lasting(report.since)}`;
  const seen = Math.max(report?.seen ?? 0, grant?.seen ?? 0);
  if (grant && seen <= grant.made) return `let in ${ago(seen)}, not seen yet`;
  return `last seen ${ago(seen)}`;
}

/** The sentences about a screen: its address, its right, and whether it gets commands. @param {Screen} screen */
function aboutOf({ grant, report }) {
  const several = report?.connections > 1 ? `, and ${report.connections - 1} more under this name` : "";
  const address = report?.address ? `It is at ${report.address}${several}` : "";
  const right = grant ? rightOf(grant) : "It has no grant, and reads as everybody may or by a proxy";
  const deaf = report?.connected ? "" : "It is not connected, and gets no command";
  return [address, right, deaf].filter(Boolean).map((text) => `${text}.`).join(" ");
}

/** Which walls a grant lets its screen read, as text. @param {Grant} grant */
function rightOf({ wall, walls, table }) {
  return table ? `Its table in [[screens]] has the walls ${walls.join(", ")}` : `It may read the wall ${wall}`;
}

/**
 * Send a command to a screen; return the sentence that reports it.
 * @param {Screen} screen
 * @param {object} said
 * @param {string} done
 */
async function command(screen, said, done) {
  await ask("POST", `screens/${part(screen.name)}`, said);
  return `${screen.name} ${done}`;
}

/** Make a screen show a wall. @param {Screen} screen @param {string} wall */
function show(screen, wall) {
  return command(screen, { command: "wall", wall }, `shows ${wall}`);
}

/** Let a screen read another wall. @param {Screen} screen @param {string} wall */
async function move(screen, wall) {
  await ask("POST", `grants/${part(screen.grant?.id ?? "")}`, { wall });
  return `${screen.name} may read the wall ${wall}`;
}

/** Sign a screen out, after a question. @param {Screen} screen */
async function revoke({ name, grant }) {
  const effect = "It goes blank within five seconds, and shows a code again.";
  if (!(await confirmed(`Sign out the screen ${name}?`, effect, "Sign it out"))) return undefined;
  await ask("DELETE", `grants/${part(grant?.id ?? "")}`);
  return `${name} was signed out`;
}
