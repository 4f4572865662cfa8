/** A picture that a source reads from a file: a floor plan, the still of a camera, a code to scan. */

import { addElement, setData } from "../page/dom.js";
import { misfit } from "../text/misfit.js";
import { say } from "../text/words.js";

/** @typedef {import("./kind.js").Stream} Stream @typedef {import("./kind.js").Picture} Picture */

/** The addresses of pictures whose newest attempt to load failed. @type {Set<string>} */
const broken = new Set();
/** The most of these addresses: the page runs for months, and each new version of a picture has an address of its own. */
const MOST = 100;

class ImageBody {
  element = addElement("div", "body");

  #image = /** @type {HTMLImageElement} */ (addElement("img", "photo drawing", this.element));

  constructor() {
    this.#image.decoding = "async";
    // The tile removes a body that failed. Its next body loads the picture again, and shows it once that worked.
    this.#image.onerror = () => {
      if (broken.size >= MOST) broken.clear();
      broken.add(this.#image.src);
    };
    this.#image.onload = () => broken.delete(this.#image.src);
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
    if (broken.has(this.#image.src)) throw new Error(say("pictureNotLoaded", picture));
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
