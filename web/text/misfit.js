/** The text of a tile that cannot show a value: which values it shows, and which value came. Pure. */

import { WORDS, say } from "./words.js";

/** @typedef {import("./language.js").Place} Place */

/** A kind was given a value that it cannot show. Its message is English, for the browser's console. */
export class Misfit extends TypeError {
  #parts;

  /** @param {string} kind @param {string} shows @param {any} value */
  constructor(kind, shows, value) {
    super();
    this.#parts = { kind, shows, value };
    this.message = this.sentence({ language: "en" });
  }

  /** Whether a value is the one that cannot be shown. @param {any} value */
  isAbout(value) {
    return value === this.#parts.value;
  }

  /** The message in the language of a place. @param {Place} place @returns {string} */
  sentence(place) {
    const { kind, shows, value } = this.#parts;
    const own = Object.hasOwn(WORDS.en, shows) ? say(shows, place) : shows;
    return say("misfit", place, { kind, shows: own, value: describe(value, place) });
  }
}

/**
 * The error of a kind that is given a value it cannot show.
 * @param {string} kind  its name
 * @param {string} shows  the values that it shows, in English, such as "a number or a text"; WORDS has this in other languages
 * @param {any} value
 * @returns {Misfit}
 */
export function misfit(kind, shows, value) {
  return new Misfit(kind, shows, value);
}

/**
 * The kind of a value in words, such as "a number".
 * @param {any} value  any JSON value
 * @param {Place} [place]
 * @returns {string}
 */
export function describe(value, place = {}) {
  if (Array.isArray(value)) return value.length ? say("anArray", place, { count: value.length }) : say("emptyArray", place);
  if (typeof value === "object" && value !== null) return say("anObject", place, { count: Object.keys(value).length });
  if (typeof value === "string") return say("aText", place);
  return typeof value === "number" ? say("aNumber", place) : String(value); // true, false or null
}
