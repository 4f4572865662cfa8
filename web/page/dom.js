/** Writes to the page. A write that would change nothing is skipped, because each one costs a TV's processor time. */

/**
 * Set an element's text. Data never becomes markup.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  const { firstChild: node } = element;
  // A new text node needs styles and a box; a node whose text changes has them.
  if (text && node instanceof Text && !node.nextSibling) {
    if (node.data !== text) node.data = text;
  } else if (element.textContent !== text) element.textContent = text;
}

/**
 * Hide or show an element.
 * @param {HTMLElement} element
 * @param {boolean} hidden
 */
export function setHidden(element, hidden) {
  if (element.hidden !== hidden) element.hidden = hidden;
}

/**
 * Set a data attribute, or remove it.
 * @param {HTMLElement} element
 * @param {string} name  without "data-"
 * @param {string} [value]  left out: remove the attribute
 */
export function setData(element, name, value) {
  const attribute = `data-${name}`; // reading `dataset` takes several times as long
  if (element.getAttribute(attribute) === (value ?? null)) return;
  if (value === undefined) element.removeAttribute(attribute);
  else element.setAttribute(attribute, value);
}

/**
 * Set a custom property.
 * @param {HTMLElement} element
 * @param {string} name  with its leading dashes
 * @param {string|number} value
 */
export function setProperty(element, name, value) {
  if (element.style.getPropertyValue(name) !== `${value}`) element.style.setProperty(name, `${value}`);
}

/**
 * Make an element.
 * @param {string} tag
 * @param {string} className
 * @param {Element} [parent]  the new element becomes its last child
 * @returns {HTMLElement}
 */
export function addElement(tag, className, parent) {
  const element = document.createElement(tag);
  element.className = className;
  parent?.append(element);
  return element;
}

/** The element of index.html with this id. @param {string} id @returns {HTMLElement} */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
