"""What a wall costs its screen: 40 tiles of all kinds but image, ten updates a second of each stream.

The page is 1920x1080 without a GPU, and its processor is THROTTLE times slower than this machine's, as
that of a TV is.  Prints the share of the time in which the page's main thread is busy, and with what.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import NamedTuple

from playwright.sync_api import CDPSession

from checks.proof import NO_SOURCES, Daemon, running
from tests.support.browser import chromium

SEED = 7
TILES, RATE, THROTTLE = 40, 10, 4
PAST, STEP = 360, 30
"""The updates of each stream before the page opens, and the seconds between two of them."""
SETTLE, SECONDS = 10.0, 30.0

Value = Callable[[random.Random, float], object]
"""The next value of a stream, told a number that wanders around 50."""


class Sort(NamedTuple):
    """Streams of one sort, and what shows them.

    :ivar kinds: how many tiles of each kind. Kinds show the same streams.
    :ivar streams: how many each tile has.
    :ivar description: of the streams, in TOML.
    """

    name: str
    value: Value
    kinds: dict[str, int]
    streams: int = 1
    description: str = ""

    def tiles(self) -> Iterator[tuple[str, str]]:
        """The kind of each tile, and its stream, or the glob of its streams."""
        for kind, count in self.kinds.items():
            for i in range(count):
                yield kind, f"{self.name}.{i}" + (".*" if self.streams > 1 else "")

    def all(self) -> Iterator[str]:
        """All its streams."""
        for i in range(max(self.kinds.values())):
            several = (f"{self.name}.{i}.{k}" for k in range(self.streams))
            yield from several if self.streams > 1 else (f"{self.name}.{i}",)


def word(chance: random.Random, number: float) -> object:
    return chance.choice(("ok", "ok", "ok", "slow", "down"))


def number(chance: random.Random, number: float) -> object:
    return round(number, 1)


def names(chance: random.Random, number: float) -> object:
    return [[f"product {i}", round(number * (12 - i) + chance.random())] for i in range(10)]


def rows(chance: random.Random, number: float) -> object:
    return [{"order": 1000 + i, "amount": round(number + i, 2), "state": "paid"} for i in range(14)]


def sentence(chance: random.Random, number: float) -> object:
    return f"Gate {chance.randrange(40)} closes in {number:.0f} minutes"


LEVELS = 'rollup = "1d"\nwarn = "== slow"\ncritical = "== down"'
LIMITED = 'rollup = "1d"\nwarn = "> 60"\ngoal = 80'
SORTS = (
    Sort("numbers", number, {"value": 12, "chart": 4, "progress": 3, "hours": 2}, 1, LIMITED),
    Sort("words", word, {"status": 2}, 1, 'critical = "== down"'),
    Sort("lines", number, {"chart": 2, "quantiles": 2}, 4, 'rollup = "1d"'),
    Sort("states", word, {"band": 2, "switches": 2}, 9, LEVELS),
    Sort("names", names, {"ranked": 2}),
    Sort("rows", rows, {"table": 2, "list": 2}),
    Sort("sentences", sentence, {"log": 2, "notice": 1}, 1, "keep = 30"),
)


def main() -> None:
    """Measure once."""
    assert sum(1 for sort in SORTS for _ in sort.tiles()) == TILES
    with running(config=config()) as daemon, chromium() as browser:
        chance = random.Random(SEED)
        fill(daemon, states(chance))
        over = threading.Event()
        publisher = threading.Thread(target=publish, args=(daemon.port, states(chance), over))
        publisher.start()
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(daemon.url)
        page.wait_for_timeout(SETTLE * 1000)
        assert page.locator(".tile[data-state=current]").count() == TILES
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": THROTTLE})
        # The time of the thread, not of the clock: other programs may run on this machine.
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        before, begin = times(session), time.monotonic()
        page.wait_for_timeout(SECONDS * 1000)
        after, seconds = times(session), time.monotonic() - begin
        over.set()
        publisher.join()
    shares = {name: (after[name] - before[name]) / seconds for name in after}
    print(", ".join(f"{name} {share:.1%}" for name, share in shares.items()))


def config() -> str:
    """Return the configuration of one wall with all tiles."""
    text = NO_SOURCES + '[[walls]]\nname = "all"\nrotate = "10s"\n'
    for sort in SORTS:
        for kind, name in sort.tiles():
            text += f'[[walls.tiles]]\nstreams = ["{name}"]\nshow = "{kind}"\n'
    for sort in SORTS:
        text += "".join(f'[streams."{name}"]\n{sort.description}\n' for name in sort.all())
    return text


def states(chance: random.Random) -> Iterator[dict[str, object]]:
    """The next values of all streams, again and again."""
    for moment in itertools.count():
        wave = 50 + 12 * math.sin(moment / 40)
        yield {
            name: sort.value(chance, wave + chance.gauss(0, 2))
            for sort in SORTS
            for name in sort.all()
        }


def fill(daemon: Daemon, states: Iterator[dict[str, object]]) -> None:
    """Publish the past."""
    with closing(HTTPConnection("127.0.0.1", daemon.port)) as connection:
        for ago in range(PAST * STEP, 0, -STEP):
            moment = {"Streamd-Time": f"{time.time() - ago:.3f}"}
            connection.request("PATCH", "/state", json.dumps(next(states)), moment)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()


def publish(port: int, states: Iterator[dict[str, object]], over: threading.Event) -> None:
    """Publish RATE times a second."""
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        while not over.wait(1 / RATE):
            connection.request("PATCH", "/state", json.dumps(next(states)))
            connection.getresponse().read()


def times(session: CDPSession) -> dict[str, float]:
    """Return the seconds for which the main thread was busy so far, as a whole and with what."""
    parts = {
        "busy": "TaskDuration",
        "scripts": "ScriptDuration",
        "styles": "RecalcStyleDuration",
        "layout": "LayoutDuration",
    }
    metrics = session.send("Performance.getMetrics")["metrics"]
    found = {each["name"]: each["value"] for each in metrics}
    return {name: found[metric] for name, metric in parts.items()}


if __name__ == "__main__":
    main()
