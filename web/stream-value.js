/** The element <stream-value> at the address that other pages load. See client/stream-value.js. */

export { StreamValue } from "./client/stream-value.js";
