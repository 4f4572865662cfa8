/** The order of web/: a room imports only from itself and from rooms before it. */

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";

const WEB = new URL("../../web/", import.meta.url);
/** From the bottom to the top. The modules at the top of web/ are addresses that other pages use. */
const ROOMS = ["text", "draw", "page", "client", "parts", "kinds", "wall", "admin", ""];
const IMPORT = /^(?:import|export)\b(?:[^;"]*\bfrom)?\s*"([^"]+)"/gm;

/** The modules of web/, as paths from there. */
async function modules() {
  const files = await readdir(WEB, { recursive: true });
  return files.filter((file) => file.endsWith(".js"));
}

const roomOf = (path) => path.split("/").slice(0, -1).join("/");

test("every module is in a room, and imports point downwards", async () => {
  for (const file of await modules()) {
    const at = ROOMS.indexOf(roomOf(file));
    assert.ok(at >= 0, `${file} is in no room`);
    for (const [, path] of (await readFile(new URL(file, WEB), "utf8")).matchAll(IMPORT)) {
      assert.match(path, /^\.\.?\//, `${file}: ${path} is not relative`);
      const target = new URL(path, new URL(file, WEB)).href.slice(WEB.href.length);
      assert.ok(ROOMS.indexOf(roomOf(target)) <= at, `${file} imports ${target}`);
    }
  }
});

test("the pure rooms and modules do not know the page", async () => {
  const pure = (file) => /^(text|draw)\//.test(file) || /^wall\/(configuration|evidence|layout|slices|summary)\.js$/.test(file);
  const found = [];
  for (const file of (await modules()).filter(pure)) {
    const code = (await readFile(new URL(file, WEB), "utf8")).replace(/\/\*[^]*?\*\/|\/\/.*/g, "");
    if (/\b(document|window|localStorage|Date\.now|performance|setTimeout|fetch)\b/.test(code)) found.push(file);
  }
  assert.deepEqual(found, []);
});
