"""What a wall costs its screen: 24 tiles, ten updates a second each, on 1920x1080 without a GPU.

Prints the share of a core that the page's main thread takes, and its whole process.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from playwright.sync_api import Browser

from checks.proof import running
from tests.support.browser import chromium

SEED = 7
TILES, RATE = 24, 10
SETTLE, SECONDS = 5.0, 15.0


def main() -> None:
    """Measures once."""
    with running() as daemon, chromium() as browser:
        over = threading.Event()
        publisher = threading.Thread(target=_publish, args=(daemon.port, over))
        publisher.start()
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(daemon.url)
        page.wait_for_timeout(SETTLE * 1000)
        assert page.locator(".tile[data-state=current]").count() == TILES
        before = _times(browser)
        begin = time.monotonic()
        page.wait_for_timeout(SECONDS * 1000)
        after, seconds = _times(browser), time.monotonic() - begin
        over.set()
        publisher.join()
    used = [(a - c, b - d) for pid, (a, b) in after.items() for c, d in [before.get(pid, (0, 0))]]
    thread, process = max(used)
    print(
        f"main thread {thread / seconds:.1%} of a core, all of the renderer {process / seconds:.1%}"
    )


def _publish(port: int, over: threading.Event) -> None:
    chance = random.Random(SEED)
    values = [50.0] * TILES
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        while not over.wait(1 / RATE):
            values = [max(0.0, value + chance.gauss(0, 1)) for value in values]
            state = {f"stream-{i:02}": round(value, 1) for i, value in enumerate(values)}
            connection.request("PATCH", "/state", json.dumps(state))
            connection.getresponse().read()


def _times(browser: Browser) -> dict[int, tuple[float, float]]:
    """Of each renderer, the seconds that its main thread took, and all of its threads."""
    with_types = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    pids = [each["id"] for each in with_types["processInfo"] if each["type"] == "renderer"]
    return {pid: (_seconds(f"{pid}/task/{pid}"), _seconds(f"{pid}")) for pid in pids}


def _seconds(task: str) -> float:
    """User and system time; see proc(5)."""
    fields = Path(f"/proc/{task}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
