import assert from "node:assert/strict";
import { test } from "node:test";

import { ServerClock, steadyClock } from "../../../web/client/clock.js";

test("the steady clock counts sleep and ignores a clock that somebody sets", (t) => {
  const machine = { monotonic: 1e6, wall: 5e12 };
  t.mock.method(performance, "now", () => machine.monotonic);
  t.mock.method(Date, "now", () => machine.wall);
  const clock = steadyClock();
  const start = clock();
  const after = (monotonic, wall) => {
    machine.monotonic += monotonic;
    machine.wall += wall;
    return Math.round(clock() - start);
  };
  assert.equal(after(1000, 1000), 1);
  assert.equal(after(1000, 3_601_000), 3602); // slept, on a system whose monotonic clock sleeps too
  assert.equal(after(60_000, 60_000), 3662); // or does not
  assert.equal(after(1000, -3_600_000), 3663); // set back
  for (let i = 0; i < 10; i++) after(1000, 2000); // slewed, which adds up to more than a leap
  assert.equal(after(1000, 1000), 3674);
});

test("the server's clock follows the reading that was under way for the shortest time", () => {
  let ours = 1000;
  const server = new ServerClock(() => ours);
  server.read(8000);
  assert.equal(server.now(), 8000);
  assert.equal(server.at(990), 7990);
  ours += 5;
  server.read(8003); // two seconds under way
  assert.equal(server.now(), 8005);
  ours += 5;
  server.read(8011); // the first reading was one second late
  assert.equal(server.now(), 8011);
  for (const odd of [NaN, Infinity, undefined, null, "9999"]) server.read(odd);
  assert.equal(server.now(), 8011);
});

test("a time that went back is the server's new clock", () => {
  for (const back of [20, 3600]) {
    let ours = 1000;
    const server = new ServerClock(() => ours);
    for (let i = 0; i < 4; i++) {
      server.read(8000 + i * 5);
      ours += 5;
    }
    server.read(8020 - back);
    assert.equal(server.now(), 8020 - back);
    ours += 5;
    server.read(8024 - back); // a second under way
    assert.equal(server.now(), 8025 - back);
  }
});

test("six readings are enough for a clock that was set back by less than a tick, one for another server's", () => {
  let ours = 1000;
  const server = new ServerClock(() => ours);
  server.read(8000);
  for (let i = 1; i <= 6; i++) {
    ours += 5;
    server.read(8000 - 4 + i * 5);
  }
  assert.equal(server.now(), 8026);
  server.forget();
  server.read(3000);
  assert.equal(server.now(), 3000);
});
