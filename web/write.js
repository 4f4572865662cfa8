/** Writes to the page, each skipped when it changes nothing. */

/** @param {Element} element @param {string} text */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** An attribute; none where there is nothing to say. @param {HTMLElement} element @param {string} name @param {string} [value] */
export function mark(element, name, value) {
  if (element.dataset[name] === value) return;
  if (value === undefined) delete element.dataset[name];
  else element.dataset[name] = value;
}

/** @param {HTMLElement} element @param {string} name @param {string|number} value */
export function style(element, name, value) {
  if (element.style.getPropertyValue(name) !== `${value}`) element.style.setProperty(name, `${value}`);
}

/**
 * An element with a class, as the last in its parent.
 * @param {string} tag @param {string} name @param {Element} [parent]
 * @returns {HTMLElement}
 */
export function make(tag, name, parent) {
  const element = document.createElement(tag);
  element.className = name;
  parent?.append(element);
  return element;
}
