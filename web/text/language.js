/**
 * Places: the language and the time zone in which a text is read, with the formatters of Intl for them. Pure.
 *
 * Every function of this folder that writes something takes a `Place` as its last argument. The `picture` of a wall is a `Place`,
 * so kinds of tiles pass it on: `face(stream, picture)`, `duration(70, 1, picture)`, `say("late", picture)`. Without a place, the
 * browser's language and time zone count.
 *
 * - words.js     `say`: all fixed texts of the page
 * - values.js `written`, `inline`: a value in the format of its description
 * - numbers.js   `number`, `exact`, `money`, `bytes`, …
 * - times.js     `duration`, `clock`, `date`, `since`, `until`, …
 * - zone.js      `daysAgo`, `comparable`: the same time on another day
 * - moments.js   `timeOf`, `spanOf`: times that a value or a description holds
 */

/**
 * @typedef {object} Place
 * @property {string} [language]  such as "de"; left out or unknown: the browser's
 * @property {string} [timezone]  such as "Europe/Berlin"; left out or unknown: the browser's
 * @property {number} [now]  the time, in seconds since the epoch
 */

/** How many formatters are kept. A wall needs some dozens; more come from descriptions that change. */
const KEPT = 200;
/** Formatters by their arguments: making one takes longer than drawing a tile. @type {Map<string, any>} */
const formats = new Map();

/**
 * The formatter of numbers for a place.
 * @param {Place} place
 * @param {Intl.NumberFormatOptions} options
 * @returns {Intl.NumberFormat}
 */
export function numberFormat({ language }, options) {
  return kept(`${language} ${JSON.stringify(options)}`, () => attempt((tag) => new Intl.NumberFormat(tag, options), [language]));
}

/**
 * The formatter of dates and times for a place.
 * @param {Place} place
 * @param {Intl.DateTimeFormatOptions} options
 * @returns {Intl.DateTimeFormat}
 */
export function dateFormat({ language, timezone }, options) {
  const make = (tag, timeZone) => new Intl.DateTimeFormat(tag, { ...options, timeZone });
  return kept(`${language} ${timezone} ${JSON.stringify(options)}`, () => {
    return attempt(make, [language, timezone], [undefined, timezone], [language, undefined]);
  });
}

/**
 * The language that Intl uses for a place, such as "de-CH"; the browser's, if the place has none.
 * @param {Place} place
 * @returns {string}
 */
export function languageOf(place) {
  return numberFormat(place, {}).resolvedOptions().locale;
}

/** Make a formatter from the first of these choices that Intl knows. Intl throws for the others; an older browser knows fewer. */
function attempt(make, ...choices) {
  for (const choice of choices) {
    try {
      return make(...choice);
    } catch {
      // The next one.
    }
  }
  return make();
}

function kept(key, make) {
  const found = formats.get(key) ?? make();
  if (formats.size >= KEPT) formats.clear();
  formats.set(key, found);
  return found;
}
