"""What tests look for on a wall in a real browser, and its pictures, also while it hangs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.support.browser import WAIT_MS
from tests.support.daemon import Server
from tests.support.net import wait_until

# A link that was broken off is lost before two ticks are missed, by which the page finds out anyway.
LOST_MS = 10_000

# For [access] admin of a daemon whose screens a test commands.
ADMIN_TOKEN = "a-long-enough-secret"

_GREYS = """async (png) => {
  const bytes = Uint8Array.from(atob(png), (character) => character.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes]));
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  let greys = "";
  for (let i = 0; i < data.length; i += 4 * 7) {
    greys += String.fromCharCode((data[i] + data[i + 1] + data[i + 2]) / 3);
  }
  return greys;
}"""
"""Every seventh pixel of a picture, a character each: of lists this long Playwright is slow."""


def tile(page: Page, label: str) -> Locator:
    """The tile of this label, hidden or not."""
    return page.locator(".tile").filter(
        has=page.get_by_role("heading", name=label, exact=True, include_hidden=True)
    )


def shows(page: Page, label: str, value: str, state: str = "current") -> None:
    """Waits until the tile of this label shows the value, in this state."""
    expect(tile(page, label).locator(".value")).to_have_text(value)
    expect(tile(page, label)).to_have_attribute("data-state", state)


def post(daemon: Server, name: str, value: object, time: float | None = None) -> None:
    """Publishes a value; `time`: when it was true, if not now."""
    headers = {"Content-Type": "application/json"}
    if time is not None:
        headers["Streamd-Time"] = str(time)
    body = json.dumps(value, ensure_ascii=False).encode()
    answer = daemon.request("POST", f"/streams/{name}", body, headers)
    assert answer.status == 201, answer.text


def command(daemon: Server, shown: Callable[[], bool], **words: object) -> None:
    """Commands the screen "tv" until it shows the effect: a command is lost with its connection.

    After a reload a page shows its stored message before it is connected. Until then the daemon may
    still hold the former connection, take the command for it and answer 200.

    :param daemon: one with `ADMIN_TOKEN`.
    :param shown: returns whether the screen shows the effect.
    :param words: the members of the command, as `POST /screens/NAME` takes them.
    """
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
    body = json.dumps(words)

    def is_obeyed() -> bool:
        answer = daemon.request("POST", "/screens/tv", body, headers)
        assert answer.status in (200, 404, 409), answer.text  # it may not be connected yet
        with suppress(AssertionError):
            return wait_until(shown, 3)
        return False

    wait_until(is_obeyed, WAIT_MS / 1000, f"the effect of {words}")


@contextmanager
def posting(daemon: Server, name: str, value: object) -> Iterator[None]:
    """Publishes a value again and again meanwhile: for so long its stream is not late."""
    over = threading.Event()

    def post_on() -> None:
        while not over.wait(0.2):
            post(daemon, name, value)

    thread = threading.Thread(target=post_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Film:
    """The pictures of a page, as its compositor makes them: its scripts may hang. To be closed.

    :ivar frames: PNGs in base64, oldest first.
    """

    def __init__(self, page: Page) -> None:
        self.frames: list[str] = []
        self._page = page
        page.screenshot()  # so that no frame is older than what the page shows now
        self._session = page.context.new_cdp_session(page)
        self._session.on("Page.screencastFrame", self._take)
        self._session.send("Page.startScreencast", {"format": "png"})

    def evaluate(self, script: str) -> None:
        """Has the page do this, without waiting for it."""
        self._session.send("Runtime.evaluate", {"expression": f"setTimeout(() => {{ {script} }})"})

    def roll(self) -> None:
        """Takes in the frames that came; asks the page nothing."""
        self._session.send("Page.screencastFrameAck", {"sessionId": 0})

    def close(self) -> None:
        """No more frames; what there is stays."""
        self._session.send("Page.stopScreencast")
        self._session.detach()

    def bright(self, frame: str, grey: int, top: float = 0) -> int:
        """How many pixels of a frame, of every seventh, are brighter than this (0 to 255).

        :param top: the share of its height that does not count. The page must not hang.
        """
        greys: str = self._page.evaluate(_GREYS, frame)
        return sum(ord(each) > grey for each in greys[int(top * len(greys)) :])

    def _take(self, event: dict[str, Any]) -> None:
        self.frames.append(event["data"])
        self._session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})
