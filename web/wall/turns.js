/**
 * Shows the walls of a screen in turn, in their hours, and dims the screen. A wall with a critical tile interrupts the others.
 */

import { showsStream } from "./configuration.js";
import { dim } from "./display.js";
import { brightnessAt, momentOf, turnAt } from "./playlist.js";
import { Screen } from "./screen.js";
import { Wall } from "./wall.js";

/** Milliseconds between two looks at the clock and at critical tiles. */
const LOOK_EVERY = 1000;

/** @typedef {import("./configuration.js").WallConfiguration} WallConfiguration */

export class Turns {
  /** The wall that is shown. @type {WallConfiguration} */
  configuration;

  #link;
  #playlist;
  #turns;
  #configurations;
  #wall;
  #screen;
  #shown = 0;
  #since = performance.now();
  #timer = 0;

  /**
   * @param {import("../client/link.js").Link} link
   * @param {import("./playlist.js").Playlist} playlist
   * @param {WallConfiguration[]} configurations  of all walls of the playlist; without one, of the only wall
   * @param {import("./last-picture.js").LastPicture|null} last  shown until the server answers
   */
  constructor(link, playlist, configurations, last) {
    this.#link = link;
    this.#playlist = playlist;
    this.#configurations = new Map(configurations.map((each) => [each.name, each]));
    // The server may have lost a wall since it told the playlist: then the page is about to renew itself.
    const turns = playlist.walls.filter(({ wall }) => this.#configurations.has(wall));
    this.#turns = turns.length ? turns : [{ wall: configurations[0].name, for: Infinity }];
    this.#shown = this.#turnAt(false);
    this.configuration = this.#configurationOf(this.#shown);
    this.#wall = new Wall(link, this.configuration, last);
    this.#screen = new Screen(link, this.configuration.name, () => this.#wall.arrange(), playlist.name);
    // Most screens show one wall and are never dimmed.
    if (this.#turns.length > 1 || playlist.dim) this.#timer = setInterval(() => this.#look(), LOOK_EVERY);
    this.#look();
  }

  close() {
    clearInterval(this.#timer);
    this.#screen.close();
    this.#wall.close();
    dim(1);
  }

  #look() {
    dim(brightnessAt(this.#playlist, this.#moment()));
    const { for: least } = this.#turns[this.#shown];
    // A wall stays until each of its pages was shown, also if that takes longer.
    const seconds = Math.max(least, this.#wall.pages > 1 ? this.#wall.pages * this.configuration.rotate : 0);
    const over = performance.now() - this.#since >= seconds * 1000;
    const next = this.#turnAt(over);
    if (over || next !== this.#shown) this.#since = performance.now();
    this.#shown = next;
    const configuration = this.#configurationOf(next);
    if (configuration === this.configuration) return;
    this.configuration = configuration;
    this.#wall.change(configuration);
    this.#screen.change(configuration.name);
  }

  #moment() {
    return momentOf(this.#link.now(), this.#playlist.timezone);
  }

  /** The index of the turn to show. @param {boolean} over  whether the time of the present wall is over */
  #turnAt(over) {
    const critical = [...this.#link.streams.values()].filter(({ health: { level, state } }) => level === "critical" && state === "fresh");
    const isCritical = (/** @type {string} */ wall) => {
      const configuration = this.#configurations.get(wall);
      return !!configuration && critical.some(({ name }) => showsStream(configuration, name));
    };
    return turnAt(this.#turns, this.#shown, over, this.#moment(), isCritical);
  }

  /** The configuration of a turn's wall. @param {number} turn @returns {WallConfiguration} */
  #configurationOf(turn) {
    return /** @type {WallConfiguration} */ (this.#configurations.get(this.#turns[turn].wall));
  }
}
