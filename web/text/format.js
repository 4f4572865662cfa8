/** The functions of this folder that most tiles need, exported from one module. Pure. language.js lists the modules. */

export { limit } from "./limits.js";
export { number } from "./numbers.js";
export { cut, text } from "./plain.js";
export { clock, duration } from "./times.js";
