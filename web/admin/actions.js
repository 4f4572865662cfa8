/** The actions on the page: forms and buttons, the question before a revocation, and the line with the result. */

import { addElement, byId, setText } from "../page/dom.js";

/** Milliseconds for which the line at the bottom shows the result of an action. */
const SAID_FOR = 8000;

/** Called after an action, so that the page shows its effect at once. @type {() => void} */
let changed = () => {};
/** @type {ReturnType<typeof setTimeout>|undefined} */
let fading;

/** Name the function that is called after each change that the administrator made. @param {() => void} then */
export function whenChanged(then) {
  changed = then;
}

/** Show the result of an action in the line at the bottom. @param {string} text */
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
 * Call `act` when a form is sent; meanwhile the form cannot be sent again. Its element `.failed` shows the error.
 * @param {HTMLFormElement} form
 * @param {(button: HTMLButtonElement|null) => Promise<string|undefined>} act  its result is shown; undefined if the action was
 *   cancelled
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
 * Make a form of buttons only.
 * @param {HTMLElement} parent
 * @param {Record<string, () => Promise<string|undefined>>} acts  text of the button -> its action
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
 * Ask before an action that cannot be undone.
 * @param {string} question
 * @param {string} effect
 * @param {string} yes  the text of the button for the action
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
 * Show the walls in a select. If there are several, none is preselected: otherwise a screen would easily get the wrong one.
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
 * Show choices in a select; the chosen one stays chosen if it is among them.
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
