/**
 * A list that keeps the element of each row while the row is shown. So an update does not disturb a person who types into a row,
 * opens it or points at it.
 */

/**
 * @template T
 * @typedef {object} Row
 * @property {HTMLElement} element
 * @property {(item: T) => void} write  shows the item as it is now
 */

/** @template T */
export class Rows {
  /** @type {Map<string, Row<T>>} */
  #rows = new Map();
  #parent;
  #keyOf;
  #make;

  /**
   * @param {HTMLElement} parent  of the rows
   * @param {(item: T) => string} keyOf  an item with the key of an earlier item takes its row
   * @param {(item: T) => Row<T>} make  makes the row of a new item
   */
  constructor(parent, keyOf, make) {
    this.#parent = parent;
    this.#keyOf = keyOf;
    this.#make = make;
  }

  /** Show these items, in this order. @param {T[]} items */
  show(items) {
    const keys = new Set(items.map(this.#keyOf));
    for (const [key, { element }] of this.#rows) {
      if (keys.has(key)) continue;
      element.remove();
      this.#rows.delete(key);
    }
    let next = this.#parent.firstElementChild;
    for (const item of items) {
      const key = this.#keyOf(item);
      const row = this.#rows.get(key) ?? this.#make(item);
      this.#rows.set(key, row);
      row.write(item);
      if (row.element === next) next = next.nextElementSibling;
      else this.#parent.insertBefore(row.element, next);
    }
  }
}
