/** Quantiles of one thing over time: the lowest is a thick line, the area up to the last but one is tinted, the highest is thin. */

import { ChartBody } from "./chart.js";

class QuantilesBody extends ChartBody {
  constructor() {
    super(true);
  }
}

/** @type {import("./kind.js").Kind} */
export const quantiles = {
  name: "quantiles",
  suits: () => false,
  several: true,
  parts: true,
  size: "l",
  least: { width: 24, height: 18 },
  Body: QuantilesBody,
};
