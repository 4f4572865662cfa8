/**
 * JSON with all digits of its whole numbers.
 *
 * A Number holds whole numbers up to 2^53; identifiers of databases may be longer. `parseExact` then reads the value twice:
 * `value` has Numbers, for computing, and `exact` has a BigInt in place of each Number that lost digits.
 */

/**
 * Text without sixteen digits at the beginning of a number has no number that a Number cannot hold. The digits of a position, which
 * every update has, are in a text: they follow a quotation mark or a dash between digits.
 */
const LONG = /(?:^|[\s[:,])-?\d{16}/;
/** Strings and numbers of JSON. A string is matched whole, so that digits in it stay text. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/**
 * Parse a message or an answer. Its updates have an `exact` beside their `value` if the value has lost digits.
 * @param {string} text
 * @returns {any}
 * @throws {SyntaxError}  if it is not JSON
 */
export function parseExact(text) {
  const message = JSON.parse(text);
  if (!LONG.test(text)) return message;
  const mark = `${Math.random()} `; // no text of a publisher begins with it
  const marked = text.replace(TOKENS, (token) => (isLost(token) ? `"${mark}${token}"` : token));
  if (marked === text) return message;
  const precise = JSON.parse(marked, (_, member) => (typeof member === "string" && member.startsWith(mark) ? BigInt(member.slice(mark.length)) : member));
  for (const key of ["updates", "history"]) message[key]?.forEach?.((update, i) => attach(update, precise[key][i]));
  return message;
}

/** Whether a token is a whole number of which a Number loses digits. @param {string} token */
function isLost(token) {
  return /^-?\d{16,}$/.test(token) && Number.isFinite(Number(token)) && BigInt(token) !== BigInt(Number(token));
}

/** Set `exact` of an update if its value needs a BigInt. @param {any} update @param {any} precise */
function attach(update, { value }) {
  if (hasBigInt(value)) update.exact = value;
}

/** Whether a value has a BigInt at any depth. @param {any} value @returns {boolean} */
function hasBigInt(value) {
  return typeof value === "bigint" || (typeof value === "object" && value !== null && Object.values(value).some(hasBigInt));
}
