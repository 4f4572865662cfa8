/**
 * The `publish` messages of this page, until the server has answered. The answers come in the order of the messages.
 *
 * Only a WebSocket carries messages to the server. A message without an answer when the WebSocket is lost may be in the log or
 * not. A caller who repeats it with the same key publishes it once.
 */

/** The most messages without an answer: the server closes the connection at 64. */
const UNDER_WAY = 32;

/**
 * @typedef {object} PublishedUpdate
 * @property {string} stream
 * @property {any} value
 * @property {number} [time]  when the value was true, in seconds since 1970; left out: now
 *
 * @typedef {object} Receipt
 * @property {string} [at]  the position of the last update; left out if there was none
 * @property {number[]} seq  of each update
 * @property {string} [key]
 */

/** Why something was not published, or may not have been. `code` is the server's, `"not-connected"` or `"lost"`. */
export class PublishError extends Error {
  name = "PublishError";

  /** @param {string} code @param {string} message @param {number} [index]  of the update that is refused */
  constructor(code, message, index) {
    super(message);
    this.code = code;
    this.index = index;
  }
}

export class Publishing {
  #send;
  /** The messages without a receipt, oldest first. @type {{message: object, done: (receipt: Receipt) => void, failed: (error: PublishError) => void}[]} */
  #waiting = [];
  /** How many of the waiting messages were sent. */
  #sent = 0;

  /** @param {(message: object) => boolean} send  returns whether the message can be sent */
  constructor(send) {
    this.#send = send;
  }

  /**
   * Send updates, or keep them until they can be sent; the promise resolves with the receipt.
   * @param {PublishedUpdate[]} updates
   * @param {string} [key]
   * @returns {Promise<Receipt>}
   */
  publish(updates, key) {
    const named = updates.map(({ stream, value, time }) => ({ stream: String(stream), value: value ?? null, time }));
    const message = { type: "publish", updates: named, key };
    return new Promise((done, failed) => {
      this.#waiting.push({ message, done, failed });
      this.#go();
    });
  }

  /** Take the server's answer to the oldest message. @param {Receipt & {error?: {code: string, message: string, index?: number}}} receipt */
  answered({ at, seq, key, error }) {
    const first = this.#waiting.shift();
    this.#sent -= 1;
    if (error) first?.failed(new PublishError(error.code, error.message, error.index));
    else first?.done({ at, seq, key });
    this.#go();
  }

  /** Fail the messages that were sent: the connection is lost. */
  lost() {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#sent = 0;
    for (const { failed } of waiting) failed(new PublishError("lost", "The connection was lost before the server answered"));
  }

  #go() {
    while (this.#sent < Math.min(this.#waiting.length, UNDER_WAY)) {
      const next = this.#waiting[this.#sent];
      if (this.#send(next.message)) {
        this.#sent += 1;
      } else {
        this.#waiting.splice(this.#sent, 1);
        next.failed(new PublishError("not-connected", "No WebSocket to the server is open"));
      }
    }
  }
}
