/** Values for each kind of tile: those that it is for, and those that somebody might publish. A kind without samples fails the test. */

export const NOW = Date.UTC(2025, 10, 22, 12) / 1000;

/**
 * @typedef {object} Sample
 * @property {any[]} values  of its streams
 * @property {string[]} [titles]  of its streams
 * @property {string} [title]  of the tile
 * @property {Record<string, any>} [description]
 * @property {Record<string, any>} [tile]  further members of its configuration
 */

const ORDERS = Array.from({ length: 14 }, (_, i) => ({ order: 120456 + i, customer: `Customer ${i + 1}`, total: 17.5 * (i + 1), paid: i % 3 > 0 }));
const SALES = { Berlin: 812, Hamburg: 640, München: 593, Köln: 310, Leipzig: 122, Kiel: 41 };

/** @type {Record<string, Sample[]>} */
export const PLAIN = {
  value: [{ values: [42], description: { unit: "orders" } }, { values: [1234567.89], description: { unit: "€" } }, { values: ["a text of several words"] }],
  status: [{ values: ["running"] }, { values: [true] }],
  chart: [{ values: [52], description: { rollup: "15d", compare: "7d", unit: "orders" } }, { values: [40, 50, 93], titles: ["web-1", "web-2", "web-3"] }, { values: [9412], title: "A comma above the evidence", tile: { size: "wide" } }, { values: [4, 7], titles: ["mail", "a-queue-with-a-very-long-name-of-its-own"] }],
  quantiles: [{ values: [12, 180], titles: ["p50", "p99"], description: { unit: "ms", rollup: "2d" } }],
  list: [{ values: [SALES] }, { values: [["first", "second", "third"]] }],
  band: [{ values: ["up", "down", "up"], titles: ["Shop", "Payments", "Mail"], description: { rollup: "1d" } }],
  switches: [{ values: [true, false, true], titles: ["Front door", "Gate", "Press"] }, { values: [{ kitchen: true, hall: false, roof: true }] }],
  progress: [{ values: [124], description: { goal: 200, unit: "t", from: NOW - 86400, by: NOW + 86400 } }],
  notice: [{ values: ["Fire drill at three: leave by the stairs, and meet at the gate"] }],
  image: [{ values: [{ url: "http://wall.test/icon.svg", type: "image/svg+xml" }] }],
  table: [{ values: [ORDERS] }],
  ranked: [{ values: [SALES] }],
  hours: [{ values: [31], description: { rollup: "7d" } }],
  log: [{ values: ["payment 120456 accepted"] }],
};

const LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen und noch mehr davon";
const RTL = "مرحبا بالعالم 123";
const ODD = [1e308, -0, 9007199254740993, null, LONG, RTL, "👩‍👩‍👧‍👦🔥", { a: { b: [1, { c: LONG }] } }, [[1, [2]], { a: null }], "x".repeat(65536), ""];

/** @type {Record<string, Sample[]>} */
export const HOSTILE = Object.fromEntries(Object.keys(PLAIN).map((kind) => [
  kind,
  ODD.map((value, i) => ({ values: [value], title: i % 3 === 0 ? LONG : i % 3 === 1 ? RTL : "🔥 plain", description: { unit: i % 2 ? "Kilogramm pro Quadratmeter" : undefined } })),
]));
