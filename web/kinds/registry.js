/** The kinds of tiles, one line each. A new kind also needs its name in KINDS_OF_TILE (streamd/core/description.py). */

export { value } from "./value.js";
export { status } from "./status.js";
export { chart } from "./chart.js";
export { list } from "./list.js";
