import assert from "node:assert/strict";
import { test } from "node:test";

import { Series } from "../../../web/client/series.js";

test("a series has a fixed size", () => {
  for (const keep of [undefined, 2, 100, 1e6, "60s", "86400s", "nonsense"]) {
    const series = new Series(keep);
    for (let i = 0; i < 20_000; i++) series.push(i * 0.7, i % 97 ? Math.sin(i) : null);
    const { times, values } = series.points(20_000 * 0.7);
    assert.ok(times.length <= 2000 && times.length === values.length, `${keep}`);
    assert.ok([...times].every((time, i) => !i || time >= times[i - 1]), `${keep}`);
    assert.equal(values.at(-1), Math.sin(19_999));
  }
});

test("a full series keeps the highest and lowest points and the gaps", () => {
  const series = new Series("3600s");
  for (let i = 0; i < 10_000; i++) series.push(i * 0.36, i === 1234 ? 99 : i === 2345 ? -99 : i === 5000 ? null : 1);
  const { times, values } = series.points(3600);
  assert.ok(times.length < 2000);
  assert.equal(Math.max(...[...values].filter((value) => !Number.isNaN(value))), 99);
  assert.equal(Math.min(...[...values].filter((value) => !Number.isNaN(value))), -99);
  assert.equal([...values].filter(Number.isNaN).length, 1);
  const few = new Series(3);
  for (let i = 0; i < 7; i++) few.push(i, i);
  assert.deepEqual([...few.points(9).values], [4, 5, 6]);
});

test("a series has one gap for each time during which nothing is known", () => {
  const series = new Series();
  series.pause(1); // there is no line yet that could have a gap
  series.push(2, 5);
  series.pause(3);
  series.pause(4);
  assert.deepEqual([...series.points(9).values], [5, NaN]);
  assert.ok(series.paused);
});

test("points are in the order of time, whatever order they come in", () => {
  for (const keep of [20, "60s"]) {
    const series = new Series(keep);
    for (const [time, value] of [[10, 1], [30, 3], [20, 2], [20, 2.5], [5, 0]]) series.push(time, value);
    assert.deepEqual([...series.points(40).times], [5, 10, 20, 20, 30]);
    assert.deepEqual([...series.points(40).values], [0, 1, 2, 2.5, 3]);
    assert.ok(!series.paused);
    series.push(15, null);
    assert.ok(series.paused);
    assert.deepEqual([...series.points(40).values], [0, 1, NaN, 2, 2.5, 3]);
  }
});

test("after the clock was set back, the points of the future wait for their time", () => {
  for (const keep of [20, "60s"]) {
    const series = new Series(keep);
    for (const [time, value] of [[3600, 1], [3610, 2], [10, 3], [20, 4]]) series.push(time, value);
    assert.deepEqual([...series.points(25).values], [3, 4]);
    assert.equal(series.begins(25), 10);
  }
});

test("a random order keeps a full series sorted", () => {
  const series = new Series("3600s");
  for (let i = 0; i < 10_000; i++) series.push(i * 0.36 + ((i * 7919) % 50), 1);
  const { times } = series.points(4000);
  assert.ok(times.length < 2000);
  assert.ok([...times].every((time, i) => !i || time >= times[i - 1]));
});
