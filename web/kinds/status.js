/** A word in the size of a numeral, such as "ok" or "yes". */

import { Figure } from "../page/figure.js";
import { isShort } from "../text/face.js";

/** @type {import("./kind.js").Kind} */
export const status = {
  name: "status",
  suits: (value) => typeof value === "boolean" || (typeof value === "string" && isShort(value)),
  size: "s",
  least: { width: 20, height: 13 },
  Body: class extends Figure {
    kind = "status";
  },
};
