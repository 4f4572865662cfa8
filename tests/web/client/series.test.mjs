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
