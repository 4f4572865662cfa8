/** A picture that a source reads from a file: a floor plan, the still of a camera, a code to scan. */

import { addElement, setData } from "../page/dom.js";
import { misfit } from "../text/misfit.js";
import { say } from "../text/words.js";

/** @typedef {import("./kind.js").Stream} Stream @typedef {import("./kind.js").Picture} Picture */

class ImageBody {
  element = addElement("div", "body");

  #image = /** @type {HTMLImageElement} */ (addElement("img", "photo drawing", this.element));
  #broken = false;

  constructor() {
    this.#image.decoding = "async";
    this.#image.onerror = () => (this.#broken = true);
    this.#image.onload = () => (this.#broken = false);
  }

  /**
   * @param {Stream[]} streams  one
   * @param {Picture} picture
   * @throws {Error}  if its value names no picture, or the picture cannot be loaded
   */
  update([{ value, seq, description, name }], picture) {
    setData(this.element, "empty", seq ? "no" : "yes");
    if (!seq) return;
    if (typeof value?.url !== "string") throw misfit("image", "a picture of a source with image", value);
    const url = new URL(value.url, document.baseURI);
    // The page's policy lets no other server's pictures in; this says so.
    if (url.origin !== document.location.origin) throw new Error(say("foreignPicture", picture));
    if (this.#image.src !== url.href) this.#image.src = url.href;
    this.#image.alt = String(description.title || name);
    this.draw([], picture);
  }

  /** @param {Stream[]} streams @param {Picture} picture */
  draw(streams, picture) {
    if (this.#broken) throw new Error(say("pictureNotLoaded", picture));
  }
}

/** @type {import("./kind.js").Kind} */
export const image = {
  name: "image",
  suits: (value) => typeof value?.url === "string" && /^image\//.test(value?.type),
  size: "l",
  least: { width: 20, height: 14 },
  Body: ImageBody,
};
