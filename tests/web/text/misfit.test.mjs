import assert from "node:assert/strict";
import { test } from "node:test";

import { describe, misfit } from "../../../web/text/misfit.js";

test("the sentence says what is shown and what came", () => {
  assert.equal(misfit("chart", "numbers", "hello").message, "a chart shows numbers, not a text");
});

test("the sentence is in the language of the wall", () => {
  const error = misfit("chart", "a number or a text", [1, 2]);
  assert.equal(error.message, "a chart shows a number or a text, not an array of 2 elements");
  assert.equal(error.sentence({ language: "de" }), "chart zeigt eine Zahl oder einen Text, nicht ein Array mit 2 Elementen");
  assert.equal(error.sentence({ language: "fr" }), "chart montre un nombre ou un texte, pas un tableau de 2 éléments");
  assert.equal(misfit("chart", "toString", 1).message, "a chart shows toString, not a number");
});

test("every value has words", () => {
  const words = [[], [1], [1, 2], {}, { a: 1 }, "x", 5, true, null].map((value) => describe(value, { language: "en" }));
  assert.deepEqual(words, [
    "an empty array", "an array of 1 element", "an array of 2 elements", "an object of 0 members", "an object of 1 member",
    "a text", "a number", "true", "null",
  ]);
});
