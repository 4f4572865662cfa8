/** Limits in words. Pure. */

import { cut } from "./plain.js";
import { inline, wordOf } from "./values.js";
import { say } from "./words.js";

/** The most characters of a limit. */
const LONGEST = 60;

/**
 * A configured limit in words: "> 80" is "above 80", and "above € 80" for an amount of money. A value with a word is written as
 * this word.
 * @param {unknown} limit
 * @param {Record<string, any>} [description]  of the stream
 * @param {import("./language.js").Place} [place]
 * @returns {string}
 */
export function limit(limit, description = {}, place = {}) {
  if (typeof limit !== "string") return "";
  const [, sign, value = ""] = limit.match(/^\s*([<>]=?|[=!]=)\s*(.*)$/s) ?? [];
  if (!sign) return cut(limit, LONGEST);
  const operand = value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : value.replace(/^["']+|["']+$/g, "");
  const word = /[<>]/.test(sign) ? null : wordOf(operand, description);
  const shown = word ?? inline(operand, { ...description, words: undefined }, place);
  // "at 3", but "failed": a word stands for itself.
  return cut(sign === "==" && (word !== null || typeof operand === "string") ? shown : say(sign, place, { limit: shown }), LONGEST);
}
