// The address is relative, so the page also works behind a proxy with a path.
import { connect } from "../streamd.js";

const link = connect({ streams: ["variable"] });
const value = document.getElementById("value");
const health = document.getElementById("health");

function show() {
  const stream = link.streams.get("variable");
  const current = link.status === "live" && stream?.health.state === "fresh";
  value.textContent = stream?.seq ? stream.value : "…";
  value.dataset.current = String(current);
  health.textContent = current ? "" : `not current: ${stream?.health.error ?? link.status}`;
}

link.addEventListener("change", show);
link.addEventListener("link", show);
