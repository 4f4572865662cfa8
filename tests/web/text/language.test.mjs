import assert from "node:assert/strict";
import { test } from "node:test";

import { dateFormat, languageOf, numberFormat } from "../../../web/text/language.js";

test("formatters are made once for each place", () => {
  const german = numberFormat({ language: "de" }, { maximumFractionDigits: 1 });
  assert.equal(german.format(0.55), "0,6");
  assert.equal(numberFormat({ language: "de", timezone: "Asia/Tokyo", now: 5 }, { maximumFractionDigits: 1 }), german);
  assert.notEqual(numberFormat({ language: "fr" }, { maximumFractionDigits: 1 }), german);
  const hour = (timezone) => dateFormat({ language: "en", timezone }, { hour: "2-digit", hourCycle: "h23" }).format(0);
  assert.deepEqual([hour("UTC"), hour("Asia/Tokyo")], ["00", "09"]);
});

test("an unknown language or time zone is the browser's", () => {
  const usual = languageOf({});
  for (const language of [undefined, "", "not a language", "x"]) assert.equal(languageOf({ language }), usual);
  const own = dateFormat({}, {}).resolvedOptions();
  const odd = dateFormat({ language: "de", timezone: "Nowhere/City" }, {}).resolvedOptions();
  assert.deepEqual([odd.locale, odd.timeZone], ["de", own.timeZone]);
  const odder = dateFormat({ language: "not a language", timezone: "Asia/Tokyo" }, {}).resolvedOptions();
  assert.deepEqual([odder.locale, odder.timeZone], [usual, "Asia/Tokyo"]);
});

test("formatters do not pile up", () => {
  const first = numberFormat({ language: "de" }, { maximumFractionDigits: 9 });
  for (let i = 0; i < 1000; i++) numberFormat({ language: `de-x-${i}` }, {});
  assert.notEqual(numberFormat({ language: "de" }, { maximumFractionDigits: 9 }), first);
});
