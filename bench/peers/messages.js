// What every server of the comparison sends; see messages.py.
"use strict";
const fs = require("node:fs");
const [PORT, RATE, SIZE] = process.argv.slice(2).map(Number);
const PREPARING = 500;

// Milliseconds of CLOCK_MONOTONIC.
const now = () => Number(process.hrtime.bigint()) / 1e6;
const value = (due) =>
  `@${String(Math.floor(due * 1000)).padStart(15, "0")}`.padEnd(SIZE - '{"t":""}'.length, "x");

// Calls publish(due) whenever a message is due; one who is late waits for nothing.
function schedule(publish) {
  let due = now();
  let gone = false;
  const next = () => {
    gone ||= fs.existsSync("go");
    due += gone ? 1000 / RATE : PREPARING;
    const wait = due - now();
    if (wait > 0) setTimeout(turn, wait);
    else setImmediate(turn);
  };
  const turn = () => {
    publish(due);
    next();
  };
  if (RATE) next();
}

module.exports = { PORT, value, schedule };
