"""Proves that a wall can hang for months: its memory does not grow with what it showed.

A real browser shows many streams, all updated as fast as the wall is told of them, and loses its link
again and again.  After a warm-up, in which each page is shown and histories fill, and then after each
of PARTS parts, all garbage is collected and counted what is left: the heap of the last tenth is at most
MORE of the first, and no nodes or listeners pile up.  The heap may also have what the browser and its
debugger note of each reconnect: requests, timings, layout shifts.  The daemon keeps its memory and its
descriptors.  ``soak.py SHARE`` takes a share of all updates, reconnects and parts: 0.2 takes some six
minutes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from functools import partial
from http.client import HTTPConnection
from statistics import median
from typing import Any, NamedTuple

from playwright.sync_api import Browser, CDPSession, Page

from checks.proof import KIB, MIB, Proof, main, memory, running
from tests.support.browser import chromium
from tests.support.net import wait_until
from tests.support.proxy import Proxy

UPDATES = 1_000_000
RECONNECTS = 200
PARTS = 40
PACE = 0.1
"""Seconds: what the wall asks for."""
WARM_UP = 120
"""Updates of each stream: more than the hundred that a history keeps."""
MORE = 1.1
NOTED = 8 * KIB
"""Bytes for each reconnect: 7.4 KiB in 200 of them. Snapshots show no object of the page among them."""
MORE_FILES = 3
"""Descriptors of the daemon that may be open besides those at first: a link that is just ending."""
COUNTS = 5
PATIENCE = 60.0


class Left(NamedTuple):
    """What a page holds when all garbage is gone, and what the daemon holds.

    :ivar heap: bytes of the page.
    :ivar memory: bytes of the daemon.
    :ivar files: descriptors of the daemon.
    """

    heap: float
    nodes: float
    listeners: float
    memory: float = 0.0
    files: float = 0.0


class Publisher:
    """Gives all streams the next number, at the wall's pace.

    :ivar number: the last.
    """

    def __init__(self, port: int, streams: int) -> None:
        self.number = 0
        self._names = [f"stream-{i:03}" for i in range(streams)]
        self._connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def publish(self, rounds: int) -> None:
        """Publishes this many numbers of each stream."""
        for _ in range(rounds):
            begin = time.monotonic()
            self.number += 1
            state = json.dumps(dict.fromkeys(self._names, self.number))
            self._connection.request("PATCH", "/state", state)
            answer = self._connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()
            time.sleep(max(0.0, begin + PACE - time.monotonic()))

    def close(self) -> None:
        """Ends its connection."""
        self._connection.close()


def prove(
    proof: Proof,
    streams: int = 300,
    updates: int = UPDATES,
    reconnects: int = RECONNECTS,
    parts: int = PARTS,
    warm_up: int = WARM_UP,
    browser: Browser | None = None,
) -> None:
    """:param updates: of all streams together.

    :param warm_up: those of each stream that come before.
    :param browser: one that is there already.
    """
    with (
        nullcontext(browser) if browser else chromium() as browser,
        running() as daemon,
        closing(Proxy(daemon.port)) as proxy,
        closing(Publisher(daemon.port, streams)) as publisher,
        closing(browser.new_page()) as page,
    ):
        session = page.context.new_cdp_session(page)
        page.goto(proxy.url)
        for _ in range(warm_up):
            publisher.publish(1)
            page.keyboard.press("ArrowRight")  # what was never shown has no history yet
        left = []
        begin = time.monotonic()
        times = max(1, reconnects // parts)
        for _ in range(parts):
            for _ in range(times):
                publisher.publish(max(1, updates // streams // parts // times))
                _shown(page, publisher)
                proxy.freeze()  # or it is back before anybody has seen that it was lost
                proxy.sever()
                _until(page, "lost")
                proxy.thaw()
                _until(page, "live")
            _shown(page, publisher)
            files = len(os.listdir(f"/proc/{daemon.pid}/fd"))
            left.append(_left(session)._replace(memory=memory(daemon.pid), files=files))
        seconds = time.monotonic() - begin
        shown = (publisher.number - warm_up) * streams
        proof.figure(f"{shown} updates of {streams} streams in {seconds:.0f} s")
        _judge(proof, left, times * parts)


def _judge(proof: Proof, left: list[Left], reconnects: int) -> None:
    tenth = max(1, len(left) // 10)
    first, last = (
        Left(*map(median, zip(*part, strict=True))) for part in (left[:tenth], left[-tenth:])
    )
    proof.claim(
        last.heap <= MORE * first.heap + NOTED * reconnects,
        f"{first.heap / MIB:.2f} MiB of heap at first, {last.heap / MIB:.2f} MiB in the end",
    )
    proof.claim(
        last.memory <= MORE * first.memory,
        f"{first.memory / MIB:.1f} MiB of the daemon at first, {last.memory / MIB:.1f} in the end",
    )
    proof.claim(
        last.files <= first.files + MORE_FILES,
        f"{first.files:.0f} descriptors of the daemon at first, {last.files:.0f} in the end",
    )
    for what in ("nodes", "listeners"):
        before, after = getattr(first, what), getattr(last, what)
        proof.claim(
            after <= MORE * before,
            f"{before:.0f} {what}, {after:.0f} after {reconnects} reconnects",
        )


def _shown(page: Page, publisher: Publisher) -> None:
    """Waits until the last number is on the wall, on every tile."""
    script = "[...document.querySelectorAll('.tile .value')].map((value) => value.textContent)"
    number = f"{publisher.number:,}"
    _ask(lambda: set(page.evaluate(script)) == {number}, f"{number} on all tiles")


def _until(page: Page, link: str) -> None:
    _ask(lambda: page.evaluate("document.body.dataset.link") == link, f"a link that is {link}")


def _ask(question: Callable[[], Any], what: str) -> None:
    wait_until(question, PATIENCE, what)


def _left(session: CDPSession) -> Left:
    """The least of some counts: the page may draw between a collection and its count."""
    return min(_count(session) for _ in range(COUNTS))


def _count(session: CDPSession) -> Left:
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")
    counted = session.send("Memory.getDOMCounters")
    size = sum(
        heap.get(key, 0) for key in ("usedSize", "embedderHeapUsedSize", "backingStorageSize")
    )
    return Left(size, counted["nodes"], counted["jsEventListeners"])


if __name__ == "__main__":
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    main(
        partial(
            prove,
            updates=round(UPDATES * share),
            reconnects=round(RECONNECTS * share),
            parts=max(1, round(PARTS * share)),
        )
    )
