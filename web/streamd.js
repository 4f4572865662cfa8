/** The client library at the address that other pages import: http://wall.example:5000/streamd.js. See client/link.js. */

export { Link, connect } from "./client/link.js";
