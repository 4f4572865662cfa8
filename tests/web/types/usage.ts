// A page in TypeScript, as docs/client.rst says it: compiled by `make types`, and never run.
import { connect, type PublishError, type Stream } from "http://localhost:5000/streamd.js";
import type * as declared from "../../../web/client/streamd.js";
import type * as real from "../../../web/streamd.js";

const link = connect({ streams: ["orders", "db.*"], history: 100, token: "view-every-stream" });

function shown(stream: Stream<number> | undefined): string {
  const isCurrent = link.status === "live" && link.journal.state === "ok" && stream?.health.state === "fresh";
  return isCurrent && stream.seq > 0 ? `${stream.value}` : "…";
}

link.addEventListener("change", ({ detail }) => detail.names.map((name) => shown(link.streams.get(name))));
link.addEventListener("change", ({ detail }) => detail.updates?.map(({ stream, value }) => `${stream} ${value}`));
link.addEventListener("update", ({ detail }) => detail.time + link.now());
link.addEventListener("error", ({ detail }) => detail.code.length);
link.addEventListener("configuration", ({ detail }) => detail.trouble?.line ?? 0);
link.publish([{ stream: "orders", value: 42 }], { key: "till-7" }).then(
  (receipt) => receipt.seq[0].toFixed(),
  (error: PublishError) => error.index ?? error.code,
);

// @ts-expect-error: there is no such option
connect({ stream: ["orders"] });
// @ts-expect-error: there is no such status
link.status === "open";
// @ts-expect-error: the event has no such member
link.addEventListener("change", ({ detail }) => detail.values);

// The declarations are those of the modules themselves, in both directions.
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
const keys: Same<keyof declared.Link, keyof real.Link> = true;
const methods: Same<Pick<declared.Link, Checked>, Pick<real.Link, Checked>> = true;
const options: Same<Parameters<typeof declared.connect>, Parameters<typeof real.connect>> = true;
type Checked = Exclude<keyof declared.Link, "addEventListener" | "removeEventListener">;
export { keys, methods, options };
