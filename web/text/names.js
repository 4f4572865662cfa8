/** The names of streams and screens. */

const NAME = /^[A-Za-z0-9][\w.-]{0,127}$/;

/**
 * Whether the server accepts this as a name: one to 128 letters, digits, "_", "." and "-", a letter or digit first.
 * @param {string} name
 * @returns {boolean}
 */
export function isName(name) {
  return NAME.test(name);
}
