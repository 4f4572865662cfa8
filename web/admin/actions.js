/** What somebody does on the page: forms and buttons, the question before a revocation, and the line that says how it went. */

import { addElement, byId, setText } from "../page/dom.js";

/** Milliseconds for which the line at the bottom says what was done. */
const SAID_FOR = 8000;

/** Called after something was done, so that the page shows it at once. @type {() => void} */
let changed = () => {};
/** @type {ReturnType<typeof setTimeout>|undefined} */
let fading;

/** @param {() => void} then */
export function whenChanged(then) {
  changed = then;
}

/** Say what was done. @param {string} text */
export function sayDone(text) {
  setText(byId("said"), text);
  clearTimeout(fading);
  fading = setTimeout(() => setText(byId("said"), ""), SAID_FOR);
}

/** A reason of the server as a sentence. @param {string} text */
export function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/**
 * Do something when a form is sent; meanwhile it cannot be sent again. Its element `.failed` says why it failed.
 * @param {HTMLFormElement} form
 * @param {(button: HTMLButtonElement|null) => Promise<string|undefined>} act  its result is said; undefined if it was cancelled
 */
export function onSubmit(form, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.getAttribute("aria-busy")) return;
    const failed = /** @type {HTMLElement} */ (form.querySelector(".failed"));
    setText(failed, "");
    form.setAttribute("aria-busy", "true");
    try {
      const done = await act(/** @type {HTMLButtonElement|null} */ (event.submitter));
      if (done !== undefined) {
        sayDone(done);
        changed();
      }
    } catch (error) {
      setText(failed, sentence(error.message));
    }
    form.removeAttribute("aria-busy");
  });
}

/**
 * Make a form of one line: a label, a control, and a button.
 * @param {HTMLElement} parent
 * @param {string} label
 * @param {HTMLElement[]} controls  the first one has the label
 * @param {string} button
 * @param {() => Promise<string|undefined>} act
 */
export function addForm(parent, label, controls, button, act) {
  const form = /** @type {HTMLFormElement} */ (addElement("form", "line", parent));
  const named = addElement("label", "", form);
  setText(named, label);
  named.append(controls[0]);
  form.append(...controls.slice(1));
  setText(addElement("button", "", form), button);
  addElement("p", "failed", form).setAttribute("role", "alert");
  onSubmit(form, act);
}

/**
 * Make a form of buttons alone.
 * @param {HTMLElement} parent
 * @param {Record<string, () => Promise<string|undefined>>} acts  text -> what it does
 */
export function addButtons(parent, acts) {
  const form = /** @type {HTMLFormElement} */ (addElement("form", "buttons", parent));
  for (const text of Object.keys(acts)) {
    const button = /** @type {HTMLButtonElement} */ (addElement("button", "", form));
    setText(button, text);
    button.value = text;
  }
  addElement("p", "failed", form).setAttribute("role", "alert");
  onSubmit(form, (button) => acts[button?.value ?? ""]());
}

/**
 * Ask before something that cannot be undone.
 * @param {string} question
 * @param {string} effect
 * @param {string} yes  the text of the button that does it
 * @returns {Promise<boolean>}
 */
export function confirmed(question, effect, yes) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("asking"));
  setText(byId("question"), question);
  setText(byId("effect"), effect);
  setText(byId("yes"), yes);
  dialog.returnValue = ""; // Escape leaves it as it is
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/**
 * Show the walls in a select. Of several one has to be chosen: a screen is soon let in to the wrong one.
 * @param {HTMLSelectElement} select
 * @param {string[]} walls
 * @param {[string, string][]} [others]  more choices, each with its value and its text
 */
export function showWalls(select, walls, others = []) {
  const named = walls.map((wall) => /** @type {[string, string]} */ ([wall, wall]));
  const choices = [...named, ...others];
  showChoices(select, choices.length > 1 ? [["", "choose a wall"], ...choices] : choices);
}

/**
 * Show choices in a select; the chosen one stays if it is still there.
 * @param {HTMLSelectElement} select
 * @param {[string, string][]} choices  value and text
 */
export function showChoices(select, choices) {
  const same = select.options.length === choices.length && choices.every(([value], i) => select.options[i].value === value);
  if (same) return;
  const chosen = select.value;
  select.replaceChildren(...choices.map(([value, text]) => new Option(text, value)));
  if (choices.some(([value]) => value === chosen)) select.value = chosen;
}
