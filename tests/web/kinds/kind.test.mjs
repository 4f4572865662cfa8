/** Holds for every kind of tile, also for a new one. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { readFile, readdir } from "node:fs/promises";
import { KINDS, kindOf } from "../../../web/kinds/kind.js";
import { stream } from "../streams.mjs";

const FOLDER = new URL("../../../web/kinds/", import.meta.url);
const kind = (value, show) => kindOf([stream({ value })], show).name;

test("every module of a kind is in the registry, under its own name", async () => {
  const files = (await readdir(FOLDER)).filter((file) => file.endsWith(".js") && !["kind.js", "registry.js"].includes(file));
  assert.deepEqual([...KINDS.keys()].sort(), files.map((file) => file.slice(0, -3)).sort());
});

test("every kind says what the contract asks for", () => {
  for (const { name, suits, size, least, Body } of KINDS.values()) {
    assert.match(name, /^[a-z][a-z-]*$/);
    assert.equal(typeof suits("x"), "boolean");
    assert.ok(["s", "m", "l", "wide", "hero"].includes(size));
    assert.ok(least.width > 0 && least.height > 0);
    assert.equal(typeof Body, "function");
  }
});

test("at most one kind suits a value", () => {
  for (const value of [undefined, null, 0, 1.5, "", "ok", "a longer text than that", true, [], [1], {}, { a: 1 }, { url: "p.png", type: "image/png" }]) {
    assert.ok([...KINDS.values()].filter(({ suits }) => suits(value)).length <= 1, JSON.stringify(value));
  }
});

test("the value decides the kind, unless the wall or the stream says it", () => {
  for (const [value, found] of [[1, "value"], ["ok", "status"], [true, "status"], ["a longer text than that", "value"], [null, "value"], [[1], "list"], [{}, "list"]]) {
    assert.equal(kind(value), found, JSON.stringify(value));
    assert.equal(kind(value, "chart"), "chart");
  }
  const said = stream({ description: { show: "list" } });
  assert.equal(kindOf([said]).name, "list");
  assert.equal(kindOf([said], "status").name, "status");
});

test("a value with a word is of the kind of the word", () => {
  const of = (value) => kindOf([stream({ value, description: { words: { 0: "down", 1: "out of order since May" } } })]).name;
  assert.deepEqual([0, 1, 2].map(of), ["status", "value", "value"]);
});

test("a kind that does not exist is ignored, whatever its name", () => {
  for (const show of ["gauge", "constructor", "__proto__", "", 5]) assert.equal(kind(1, show), "value");
  assert.equal(kindOf([stream({ description: { show: "toString" } })]).name, "value");
});

test("several streams are shown by a kind that can", () => {
  for (const show of [undefined, "chart", "value", "constructor"]) assert.equal(kindOf([stream(), stream()], show).name, "chart");
  for (const value of ["up", true]) assert.equal(kindOf([stream({ value: undefined }), stream({ value })]).name, "band");
});

test("the registry has one line for each kind", async () => {
  const lines = (await readFile(new URL("registry.js", FOLDER), "utf8")).split("\n").filter((line) => line.startsWith("export"));
  assert.deepEqual(lines.sort(), [...KINDS.keys()].map((name) => `export { ${name} } from "./${name}.js";`).sort());
});
