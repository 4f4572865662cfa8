/** What index.html starts. */

import { connect } from "./streamd.js";
import { Wall } from "./wall.js";

new Wall(document, connect());
