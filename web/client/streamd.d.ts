/** The types of streamd.js, for pages in TypeScript. See docs/client.rst. */

export type Status = "connecting" | "catching-up" | "live" | "lost" | "closed";

export interface Options {
  /** The server; http(s) and ws(s) mean the same. Default: the server that the module came from. */
  url?: string | URL;
  /** Names and globs. Left out: all streams. Empty: none. */
  streams?: string[];
  /** How many updates of each stream to keep, at least 1. Left out: the newest only. */
  history?: number;
  /** A token of `[access] view`. It never becomes part of a URL or a message. */
  token?: string;
  /** For environments that have none. */
  WebSocket?: typeof WebSocket;
  /** null: never read an event stream. */
  fetch?: typeof fetch | null;
  /** Seconds on a clock that nobody sets and that counts sleep. */
  clock?: () => number;
  /** From 0 up to 1. */
  random?: () => number;
}

export interface Update<Value = any> {
  seq: number;
  /** Its position in the log. */
  at: string;
  /** When the value was true, in seconds since 1970. */
  time: number;
  value: Value;
  /** The value with a BigInt in place of each whole number of which a Number loses digits. */
  exact?: any;
}

export interface Health {
  state?: "fresh" | "late" | "failed";
  level?: "ok" | "warn" | "critical";
  /** When the health last changed, in seconds since 1970. */
  since?: number;
  /** When the value was last confirmed. */
  proof?: number;
  /** Why the stream is failed or late. */
  error?: string;
}

/** The time before the updates of a stream, as slots. Times are in seconds since 1970. */
export interface Past {
  from: number;
  to: number;
  width: number;
  /** Begin, lowest, mean, highest, last. */
  points: [number, number, number, number, number][];
}

export interface Stream<Value = any> {
  name: string;
  /** title, unit, expect (seconds), words, format, … as docs/protocol.rst lists them. */
  description: Record<string, any>;
  health: Health;
  /** 0: no value yet. */
  seq: number;
  at?: string;
  time?: number;
  value?: Value;
  exact?: any;
  /** How many updates this page did not see. */
  missed: number;
  /** With the option `history`: oldest first, the newest included. */
  history?: Update<Value>[];
  /** With the option `history`, and `rollup` in the description. */
  past?: Past;
}

export interface Journal {
  state: "ok" | "away";
  since?: number;
  error?: string;
}

export interface Configuration {
  /** The server's page. */
  build: string;
  /** Its walls and screens. */
  walls: string;
  /** Why its configuration file is not in use. */
  trouble: { file: string; line: number | null; key: string; message: string } | null;
}

export interface PublishedUpdate {
  stream: string;
  value: any;
  /** When the value was true, in seconds since 1970. Left out: now. */
  time?: number;
}

export interface Receipt {
  /** The position of the last update. Left out if there was none. */
  at?: string;
  seq: number[];
  key?: string;
}

/** Why something was not published, or may not have been: `publish` fails with it. */
export interface PublishError extends Error {
  /** The server's code, "not-connected" or "lost". */
  code: string;
  /** Of the update that is refused. */
  index?: number;
}

/** The events of a link, by type. */
export interface LinkEvents {
  update: CustomEvent<Update & { stream: string }>;
  change: CustomEvent<{ names: string[]; updates?: (Update & { stream: string })[] }>;
  link: CustomEvent<null>;
  journal: CustomEvent<null>;
  tick: CustomEvent<null>;
  error: CustomEvent<{ code: string; message: string }>;
  build: CustomEvent<{ build: string }>;
  configuration: CustomEvent<Configuration>;
  command: CustomEvent<{ command: string; [member: string]: any }>;
}

/** The page's end of the connection. Its properties are for reading. */
export class Link extends EventTarget {
  constructor(options?: Options);
  /** The streams by name. A reconnect may replace the map. */
  streams: Map<string, Stream>;
  /** The position up to which everything has arrived. null: nothing has. */
  at: string | null;
  /** Values are current only while this is "live". */
  status: Status;
  journal: Journal;
  configuration: Configuration;
  /** Since when the streams may not be current, by the server's clock. null: they are. */
  get lostSince(): number | null;
  /** Seconds between two ticks. */
  get tick(): number;
  /** Event streams serve, because a proxy lets no WebSocket pass. */
  get blocked(): boolean;
  /** The server's time, in seconds since 1970. */
  now(): number;
  /** Select other streams from now on. */
  select(streams?: string[]): void;
  /** Report what a screen shows. */
  report(screen: { name: string; wall?: string; delay?: number }): void;
  /** Publish the updates: all of them, or none. @throws PublishError */
  publish(updates: PublishedUpdate[], options?: { key?: string }): Promise<Receipt>;
  /** Read a period of a stream's past: the answer of GET /streams/NAME?from=&to=. */
  past(name: string, period?: { from?: number | string; to?: number | string; points?: number; signal?: AbortSignal }): Promise<any>;
  /** Close the connection for good. */
  close(): void;

  addEventListener<Type extends keyof LinkEvents>(
    type: Type,
    listener: (this: Link, event: LinkEvents[Type]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Type extends keyof LinkEvents>(
    type: Type,
    listener: (this: Link, event: LinkEvents[Type]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/** Connect, and stay connected until `close()`. @throws TypeError if `url` is not a URL */
export function connect(options?: Options): Link;
