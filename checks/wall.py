"""Proves that a wall never lies, whatever fails, and comes back by itself.

Three streams follow a number that grows twice a second: one is polled from a URL, two are published,
and of those one promises nothing: it is current for as long as nobody says more.  A real browser shows
them, through a proxy.  Again and again something of all that is killed, frozen or started anew, for a
random while.  Every 200 ms what the wall shows as current is compared with what the number was:

- it was the newest at most KNOWABLE ago: so soon each fault is on the screen;
- if a link was silent, at most SILENT ago: the two ticks that have to be missed, a fifth of one for a
  busy machine, and the second in which the page draws.

Then nobody touches anything, and all are current again within the client's longest backoff and 2 s.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import Browser, Page

from checks.proof import Daemon, Proof, main, running, spread
from tests.support.browser import chromium
from tests.support.net import request
from tests.support.proxy import Proxy

SEED = 7
EVERY, LOOK = 0.5, 0.2
"""Seconds between two numbers, and between two looks at the wall."""
KNOWABLE, TICK = 5.0, 5.0
SILENT = 2.2 * TICK + 1
BACK = 20.0 + 2.0

CONFIG = """
[access]
publish = "loopback"
[streams.pushed]
expect = "2s"
[sources.polled]
url = "http://127.0.0.1:{port}/"
every = "500ms"
timeout = "1s"
expect = "2s"
[streams.polled]
[streams.plain]
"""
CLAIMED = """() => {
  const text = (tile, what) => tile.querySelector(what).textContent.replace(",", "");
  const tiles = [...document.querySelectorAll(".tile[data-state=current]")];
  return Object.fromEntries(tiles.map((tile) => [text(tile, "h2"), Number(text(tile, ".value"))]));
}"""
STREAMS = 3


class World:
    """The number, which is published while `speaks` is set and answered while `answers` is.

    :ivar port: where it can be polled.
    """

    def __init__(self) -> None:
        self.speaks = threading.Event()
        self.answers = threading.Event()
        self.refuses = False
        self.daemon_port = 0
        self._begin = time.monotonic()
        self._times = [self._begin]
        self._spoken: list[tuple[int, float]] = []
        self._over = threading.Event()
        world = self

        class Polled(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with suppress(OSError):  # who asked may have given up
                    self._answer()

            def _answer(self) -> None:
                if world.refuses:
                    return
                world.answers.wait()
                body = str(len(world._times)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Polled)
        self.port: int = self._server.server_port
        self.thaw()
        for call in (self._server.serve_forever, self._grow):
            threading.Thread(target=call, daemon=True).start()

    def freeze(self) -> None:
        """Stops publishing and answering."""
        self.speaks.clear()
        self.answers.clear()

    def thaw(self) -> None:
        """Publishes and answers again."""
        self.speaks.set()
        self.answers.set()
        self.refuses = False

    def refuse(self) -> None:
        """Breaks off every request, and publishes nothing."""
        self.speaks.clear()
        self.refuses = True

    def followed(self, stream: str, number: int) -> float:
        """When the number was followed by the next, as far as the stream can know; infinity: never."""
        if stream == "plain":
            i = bisect_right(self._spoken, (number, math.inf))
            return self._spoken[i][1] if i < len(self._spoken) else math.inf
        return self._times[number] if number < len(self._times) else math.inf

    def close(self) -> None:
        """Stops the server and the number."""
        self._over.set()
        self.thaw()
        self._server.shutdown()
        self._server.server_close()

    def _grow(self) -> None:
        while not self._over.wait(EVERY):
            self._times.append(time.monotonic())
            if self.speaks.is_set() and self.daemon_port:
                number = len(self._times)
                self._spoken.append((number, self._times[-1]))
                with suppress(OSError):
                    state = json.dumps({"pushed": number, "plain": number})
                    request(self.daemon_port, "PATCH", "/state", state, timeout=1)


class Watch:
    """Compares what the wall claims with the truth, look by look.

    :ivar looks: how many.
    :ivar ages: of each claim, how long ago it was the newest, in seconds.
    :ivar lies: those that were too old, in words.
    """

    def __init__(self, page: Page, world: World) -> None:
        self.looks = 0
        self.ages: list[float] = []
        self.lies: list[str] = []
        self._page = page
        self._world = world
        self._silent_until = 0.0

    def during(self, name: str, silent: bool, act: Callable[[], object]) -> None:
        """Looks again and again while a function runs."""
        thread = threading.Thread(target=act)
        thread.start()
        while thread.is_alive():
            self.look(name, silent)
        thread.join()

    def look(self, name: str, silent: bool = False) -> bool:
        """Looks once, and pauses; returns whether all is current and new."""
        now = time.monotonic()
        if silent:
            self._silent_until = now + SILENT
        bound = SILENT if now < self._silent_until else KNOWABLE
        claims: dict[str, int] = self._page.evaluate(CLAIMED)
        ages = [max(0.0, now - self._world.followed(*claim)) for claim in claims.items()]
        self.looks += 1
        self.ages += ages
        self.lies += [f"{age:.1f} s old: {name}" for age in ages if age > bound]
        time.sleep(max(0.0, now + LOOK - time.monotonic()))
        return len(ages) == STREAMS and max(ages) < 2 * EVERY + 1


Fault = tuple[str, bool, Callable[[], object], Callable[[], object]]


def faults(daemon: Daemon, proxy: Proxy, world: World) -> list[Fault]:
    """A name, whether a link is silent while it lasts, how it begins and how it ends."""

    def climb_down() -> None:
        proxy.upgrades = "refuse"
        proxy.sever()

    def climb_back() -> None:
        proxy.upgrades = "pass"
        proxy.sever()

    def tell(number: signal.Signals) -> None:
        os.kill(daemon.pid, number)

    stop, go = partial(tell, signal.SIGSTOP), partial(tell, signal.SIGCONT)
    return [
        ("the daemon is killed", False, daemon.kill, daemon.start),
        ("the daemon is restarted", False, daemon.stop, daemon.start),
        ("the daemon is frozen", True, stop, go),
        ("the proxy breaks off", False, proxy.sever, proxy.sever),
        ("the proxy lets no WebSocket pass", False, climb_down, climb_back),
        ("the proxy is frozen", True, proxy.freeze, proxy.thaw),
        ("the source is dead", False, world.refuse, world.thaw),
        ("the source is frozen", False, world.freeze, world.thaw),
    ]


def prove(
    proof: Proof, seconds: float = 600.0, longest: float = 15.0, browser: Browser | None = None
) -> None:
    """:param longest: seconds that a fault lasts at most.

    :param browser: one that is there already.
    """
    chance = random.Random(SEED)
    patience = proof.patience * BACK
    back: list[float] = []
    with _watch(browser) as (watch, daemon, proxy, world):
        proof.claim(_wait(watch, "the beginning", patience) is not None, "all streams are current")
        end = time.monotonic() + seconds
        order: list[Fault] = []
        while time.monotonic() < end:
            order = order or chance.sample(all_of := faults(daemon, proxy, world), len(all_of))
            name, silent, begin, finish = order.pop()
            watch.during(name, silent, begin)
            until = time.monotonic() + chance.uniform(0, longest)
            while time.monotonic() < until:
                watch.look(name, silent)
            watch.during(name, silent, finish)
            took = _wait(watch, f"after {name}", patience)
            proof.claim(
                took is not None, f"current again after: {name}, {until - end + seconds:.0f} s"
            )
            back.append(patience if took is None else took)
        proof.claim(not watch.lies, f"{len(watch.lies)} lies {watch.lies[:3]}")
        proof.figure(f"{watch.looks} looks, {len(watch.ages)} claims")
        proof.figure(f"how old claims were: {spread(watch.ages)}")
        proof.figure(f"until current again: {spread(back)}")


def _wait(watch: Watch, name: str, patience: float) -> float | None:
    """Waits without touching anything; returns the seconds until all is current, or None."""
    begin = time.monotonic()
    while time.monotonic() < begin + patience:
        if watch.look(name):
            return time.monotonic() - begin
    return None


@contextmanager
def _watch(browser: Browser | None) -> Iterator[tuple[Watch, Daemon, Proxy, World]]:
    world = World()
    config = CONFIG.format(port=world.port)
    with (
        nullcontext(browser) if browser else chromium() as browser,
        running(config=config) as daemon,
    ):
        world.daemon_port = daemon.port
        proxy = Proxy(daemon.port)
        page = browser.new_page()
        try:
            page.goto(proxy.url)
            yield Watch(page, world), daemon, proxy, world
        finally:
            page.close()
            proxy.close()
            world.close()


if __name__ == "__main__":
    main(prove)
