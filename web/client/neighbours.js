/**
 * The pages of this browser and origin that read event streams, this one included. They share the few connections that a browser
 * opens to one host, and Firefox serves the same pages first again and again. So they have to leave room for each other.
 */

/** Seconds of silence after which a page counts as closed. */
const GONE = 10;

export class Neighbours {
  #clock;
  /** @type {BroadcastChannel|undefined} */
  #channel;
  #me = Math.random();
  /** When the latest message of each page came, by our clock. @type {Map<number, number>} */
  #heard = new Map();

  /**
   * @param {() => number} clock  in seconds
   * @param {typeof BroadcastChannel} [Channel]  left out: this page knows no other page
   */
  constructor(clock, Channel) {
    this.#clock = clock;
    if (!Channel) return;
    try {
      this.#channel = new Channel("streamd.events");
      this.#channel.onmessage = ({ data }) => this.#heard.set(data, clock());
    } catch {
      // Firefox throws where the storage is blocked.
    }
  }

  /** Tell the other pages about this one, and return the number of all. @returns {number} */
  meet() {
    const now = this.#clock();
    this.#channel?.postMessage(this.#me);
    for (const [page, heard] of this.#heard) if (now - heard > GONE) this.#heard.delete(page);
    return this.#heard.size + 1;
  }

  close() {
    this.#channel?.close();
  }
}
