/** Whole numbers that a Number cannot hold. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { parseExact } from "../../../web/client/exact.js";

const message = (...values) => `{"type":"updates","at":"1763790000123-4194304","updates":[${values.map((value) => `{"stream":"a","value":${value}}`)}]}`;
const updates = (...values) => parseExact(message(...values)).updates;

test("a message without long numbers is what JSON.parse makes of it", () => {
  for (const value of ["1", '"9007199254740993"', "1763790000.1234567", "[1,2]", "null", '"a\\"9007199254740993"', "0.30000000000000004"]) {
    assert.deepEqual(parseExact(message(value)), JSON.parse(message(value)), value);
  }
});

test("a message in which only positions have many digits is read once", (t) => {
  const read = t.mock.method(JSON, "parse");
  const scanned = t.mock.method(String.prototype, "replace");
  const text = message("59.2").replace("4194304", "945008954420756480");
  scanned.mock.resetCalls();
  assert.deepEqual(parseExact(text).updates, [{ stream: "a", value: 59.2 }]);
  assert.deepEqual([read.mock.callCount(), scanned.mock.callCount()], [1, 0]);
});

test("a whole number that loses digits is found wherever a number may begin", () => {
  for (const value of ["[9007199254740993]", "[1,9007199254740993]", '{"n":9007199254740993}', "[\n9007199254740993]", '{"n": -9007199254740993}']) {
    assert.ok("exact" in updates(value)[0], value);
  }
});

test("a whole number that loses digits is also there as a BigInt", () => {
  const [large, least] = updates("9007199254740993", "-9223372036854775808001");
  assert.equal(large.value, 9_007_199_254_740_992);
  assert.equal(large.exact, 9_007_199_254_740_993n);
  assert.equal(least.exact, -9_223_372_036_854_775_808_001n);
  const [{ exact }] = updates('[{"id":9007199254740993,"name":"9007199254740993","n":1}]');
  assert.deepEqual(exact, [{ id: 9_007_199_254_740_993n, name: "9007199254740993", n: 1 }]);
});

test("only values that lose digits have both", () => {
  const [lost, kept, round, fine] = updates("9007199254740993", "1", "9007199254740992", "12345678901234567.5");
  assert.ok("exact" in lost);
  for (const update of [kept, round, fine]) assert.ok(!("exact" in update));
  assert.equal(updates("1000000000000000000")[0].exact, undefined); // a Number holds it
});

test("answers with a history have both, too, and other members are left alone", () => {
  const { history, value } = parseExact('{"value":9007199254740993,"history":[{"seq":1,"value":9007199254740993},{"seq":2,"value":7}]}');
  assert.deepEqual(history.map(({ exact }) => exact), [9_007_199_254_740_993n, undefined]);
  assert.equal(value, 9_007_199_254_740_992);
  assert.equal(parseExact("9007199254740993"), 9_007_199_254_740_992);
  assert.equal(parseExact("null"), null);
});

test("what is no JSON is an error, and a huge number is as in JSON.parse", () => {
  assert.throws(() => parseExact('{"value": 9007199254740993'), SyntaxError);
  assert.throws(() => parseExact(""), SyntaxError);
  assert.equal(updates("1".repeat(400))[0].value, Infinity);
});
