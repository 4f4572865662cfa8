/** Shapes in an SVG, and labels above it: the labels are HTML, which ends a text that is too long with an ellipsis. */

import { addElement, setProperty, setText } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {import("../draw/chart.js").Shape} Shape @typedef {import("../draw/chart.js").Label} Label */

export class Plot {
  element = addElement("div", "plot drawing");

  #svg = this.element.appendChild(document.createElementNS(SVG, "svg"));
  /** The elements of the shapes, with the attributes that were written last. @type {{element: Element, written: Record<string, string|number>}[]} */
  #shapes = [];
  /** The elements of the labels, with what was written last. @type {{element: HTMLElement, written: Partial<Label>}[]} */
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
    for (const { element } of this.#shapes.splice(shapes.length)) element.remove();
    labels.forEach((label, i) => this.#write(label, i));
    for (const { element } of this.#labels.splice(labels.length)) element.remove();
  }

  /** Draw a shape in the i-th element. @param {Shape} shape @param {number} i */
  #draw({ tag, className, attributes }, i) {
    let shape = this.#shapes[i];
    if (shape?.element.localName !== tag) {
      const element = document.createElementNS(SVG, tag);
      if (shape) shape.element.replaceWith(element);
      else this.#svg.append(element);
      shape = this.#shapes[i] = { element, written: {} };
    }
    const { element, written } = shape;
    shape.written = { class: className, ...attributes };
    for (const [name, value] of Object.entries(shape.written)) if (value !== written[name]) element.setAttribute(name, `${value}`);
  }

  /** Write a label into the i-th element. @param {Label} label @param {number} i */
  #write(label, i) {
    const shown = (this.#labels[i] ??= { element: addElement("bdi", "", this.element), written: {} });
    const { element, written } = shown;
    const { className, text, align, x, y, room } = (shown.written = label);
    if (className !== written.className || align !== written.align) element.className = `${className} ${align}`;
    if (text !== written.text) setText(element, text);
    if (x !== written.x || y !== written.y) setProperty(element, "translate", `${Math.round(x * 10) / 10}px ${Math.round(y * 10) / 10}px`); // unlike left and top it needs no layout
    if (room !== written.room) setProperty(element, "max-width", `${Math.round(room * 10) / 10}px`);
  }
}
