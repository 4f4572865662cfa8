/** The kinds of tiles, one line each. A kind of its own needs a module beside this one and a line here, and nothing else. */

export { value } from "./value.js";
export { status } from "./status.js";
export { chart } from "./chart.js";
export { list } from "./list.js";
