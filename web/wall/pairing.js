/**
 * Pairing: a browser without rights shows a code until an administrator lets it in. The secret of the browser is sent only to its
 * own server. Scripts cannot read the cookie that follows.
 */

import { byId, setText } from "../page/dom.js";
import { languageOfWords, say } from "../text/words.js";
import { askServer } from "./refusal.js";

/** @typedef {import("../text/language.js").Place} Place */

/** Bytes of the secret: 256 bits. */
const BYTES = 32;

export class Pairing {
  /** Whether a code is shown. */
  isWaiting = false;

  /**
   * Ask to be let in, and show the code, or the reason for having none.
   * @param {string} reason  the code of the error with which the server refused to show a wall
   * @param {Place} place
   * @returns {Promise<boolean>}  whether this browser was let in
   */
  async ask(reason, place) {
    const asking = say(reason === "signed-out" ? "signedOut" : "asksForAccess", place);
    try {
      const told = await askServer("pairing", "POST", place, { device: device() });
      if (told.state === "paired") {
        this.#paired();
        return true;
      }
      this.#show(told, asking, place);
    } catch (error) {
      this.#refused(error, asking);
    }
    return false;
  }

  /** Show no code. */
  close() {
    this.isWaiting = false;
    byId("pairing").hidden = true;
  }

  /** Show the code. @param {{code: string, lasting: boolean}} told @param {string} asking @param {Place} place */
  #show({ code, lasting }, asking, place) {
    this.isWaiting = true;
    setText(byId("notice"), "");
    setText(byId("asking"), asking);
    setText(byId("code"), code);
    setText(byId("admitting"), say("letIn", place));
    setText(byId("command"), `streamd pair ${code} --name NAME --wall WALL`);
    byId("pairing").lang = languageOfWords(place);
    setText(byId("brief"), lasting ? "" : say("inMemory", place));
    byId("pairing").hidden = false;
  }

  /**
   * Show why there is no code. While the server does not answer, an earlier code stays: it is still valid.
   * @param {any} error
   * @param {string} asking
   */
  #refused(error, asking) {
    if (this.isWaiting && (!error.cause || error.cause === 503)) {
      setText(byId("notice"), error.message);
      return;
    }
    this.close();
    setText(byId("notice"), error.code === "too-many-codes" ? `${asking}: ${error.message}` : asking);
  }

  /** Forget the secret, which is in the cookie now, and any command for a wall that this screen may no longer read. */
  #paired() {
    this.close();
    history.replaceState({ ...history.state, device: undefined, commanded: undefined }, "");
  }
}

/** The secret of this browser. It survives a reload, so that the page keeps its code. @returns {string} */
function device() {
  const kept = history.state?.device;
  if (kept) return kept;
  const made = base64url(crypto.getRandomValues(new Uint8Array(BYTES)));
  history.replaceState({ ...history.state, device: made }, "");
  return made;
}

/** Bytes in base64url, without padding. @param {Uint8Array} bytes */
function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
