/** The kinds of tiles, one line each. A new kind also needs its name in KINDS_OF_TILE (streamd/core/description.py). */

export { value } from "./value.js";
export { status } from "./status.js";
export { chart } from "./chart.js";
export { quantiles } from "./quantiles.js";
export { list } from "./list.js";
export { band } from "./band.js";
export { switches } from "./switches.js";
export { progress } from "./progress.js";
export { notice } from "./notice.js";
export { image } from "./image.js";
export { table } from "./table.js";
export { ranked } from "./ranked.js";
export { hours } from "./hours.js";
export { log } from "./log.js";
