/** Shapes in an SVG, and labels above it: the labels are HTML, which ends a text that is too long with an ellipsis. */

import { addElement, setProperty, setText } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {import("../draw/chart.js").Shape} Shape @typedef {import("../draw/chart.js").Label} Label */

export class Plot {
  element = addElement("div", "plot drawing");

  #svg = this.element.appendChild(document.createElementNS(SVG, "svg"));
  /** @type {Element[]} */
  #shapes = [];
  /** @type {HTMLElement[]} */
  #labels = [];

  /** @param {boolean} spoken  whether it has a text for screen readers; otherwise the words beside it say the same */
  constructor(spoken) {
    this.#svg.setAttribute("aria-hidden", "true");
    if (spoken) this.element.role = "img";
    else this.element.ariaHidden = "true";
  }

  /** The text of the picture for screen readers. @param {string} text */
  set spoken(text) {
    if (this.element.ariaLabel !== text) this.element.ariaLabel = text;
  }

  /**
   * Show these shapes and labels, and no others.
   * @param {{shapes: Shape[], labels: Label[]}} picture
   */
  show({ shapes, labels }) {
    shapes.forEach((shape, i) => this.#draw(shape, i));
    for (const element of this.#shapes.splice(shapes.length)) element.remove();
    labels.forEach((label, i) => this.#write(label, i));
    for (const element of this.#labels.splice(labels.length)) element.remove();
  }

  /** Draw a shape in the i-th element. @param {Shape} shape @param {number} i */
  #draw({ tag, className, attributes }, i) {
    let element = this.#shapes[i];
    if (element?.localName !== tag) {
      const made = document.createElementNS(SVG, tag);
      if (element) element.replaceWith(made);
      else this.#svg.append(made);
      element = this.#shapes[i] = made;
    }
    for (const [name, value] of Object.entries({ class: className, ...attributes })) {
      if (element.getAttribute(name) !== `${value}`) element.setAttribute(name, `${value}`);
    }
  }

  /** Write a label into the i-th element. @param {Label} label @param {number} i */
  #write({ className, text, align, x, y, room }, i) {
    const element = (this.#labels[i] ??= addElement("bdi", "", this.element));
    const classes = `${className} ${align}`;
    if (element.className !== classes) element.className = classes;
    setText(element, text);
    setProperty(element, "translate", `${Math.round(x * 10) / 10}px ${Math.round(y * 10) / 10}px`); // unlike left and top it needs no layout
    setProperty(element, "max-width", `${Math.round(room * 10) / 10}px`);
  }
}
