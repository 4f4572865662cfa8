import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";

import { WORDS, languageOfWords, say } from "../../../web/text/words.js";

const namesIn = (text) => [text].flat().map((one) => [...one.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort().join());

test("every language has all texts, with the same parts", () => {
  const keys = Object.keys(WORDS.en);
  for (const [language, texts] of Object.entries(WORDS)) {
    assert.deepEqual(Object.keys(texts), keys, language);
    for (const key of keys) {
      for (const names of namesIn(texts[key])) assert.equal(names, namesIn(WORDS.en[key])[0], `${language} ${key}`);
      assert.ok([texts[key]].flat().every((text) => text.trim() === text && text), `${language} ${key}`);
    }
  }
});

test("no text is left over", async () => {
  const web = new URL("../../../web/", import.meta.url);
  const files = (await readdir(web, { recursive: true })).filter((file) => file.endsWith(".js") && !["boot.js", "text/words.js"].includes(file));
  const code = (await Promise.all(files.map((file) => readFile(new URL(file, web), "utf8")))).join("\n");
  const computed = /^([<>=!]=?|lateSince|waitingSince|warn|critical)$/; // say(sign), say(`${state}Since`), say(level)
  assert.deepEqual(Object.keys(WORDS.en).filter((key) => !computed.test(key) && !code.includes(`"${key}"`)), []);
});

test("boot.js has all its texts in every language", async () => {
  const boot = await readFile(new URL("../../../web/boot.js", import.meta.url), "utf8");
  const [, table] = boot.match(/const TEXTS = (\{.*?\n  \});/s) ?? [];
  const texts = Function(`return ${table}`)();
  assert.deepEqual(Object.keys(texts), Object.keys(WORDS));
  for (const [language, own] of Object.entries(texts)) {
    assert.deepEqual(Object.keys(own), Object.keys(texts.en), language);
    for (const key of Object.keys(own)) assert.deepEqual(namesIn(own[key]), namesIn(texts.en[key]), `${language} ${key}`);
  }
  for (const [, key] of boot.matchAll(/\btext\("(\w+)"/g)) assert.ok(key in texts.en, key);
});

test("the page asks only for texts that there are", async () => {
  const web = new URL("../../../web/", import.meta.url);
  const files = (await readdir(web, { recursive: true })).filter((file) => file.endsWith(".js") && file !== "boot.js");
  let found = 0;
  for (const file of files) {
    for (const [, key] of (await readFile(new URL(file, web), "utf8")).matchAll(/\bsay\("([^"]+)"/g)) {
      assert.ok(Object.hasOwn(WORDS.en, key), `${file}: ${key}`);
      found++;
    }
  }
  assert.ok(found > 10);
});

test("a text takes the language of its place, and English where there are no words", () => {
  assert.equal(say("lateBy", { language: "en-GB" }, { time: "3 h" }), "late by 3 h");
  assert.equal(say("lateBy", { language: "de-CH" }, { time: "3 h" }), "3 h verspätet");
  assert.equal(say("lateBy", { language: "fr" }, { time: "3 h" }), "en retard de 3 h");
  for (const language of ["it", "ja", "no such language", "toString"]) assert.equal(say("late", { language }), "late");
  assert.equal(languageOfWords({ language: "it" }), "en");
  assert.equal(say("cannotBeShown", { language: "en" }, { reason: "$& {time}" }), "cannot be shown: $& {time}");
});

test("counts take one of two texts", (t) => {
  Object.assign(WORDS.fr, { probe: ["{count} flux", "{count} flux au pluriel"] });
  t.after(() => delete WORDS.fr.probe);
  assert.deepEqual([0, 1, 2].map((count) => say("probe", { language: "fr" }, { count })), ["0 flux", "1 flux", "2 flux au pluriel"]);
});
