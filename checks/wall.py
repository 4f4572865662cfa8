"""Proves that a wall never lies, whatever fails, and comes back by itself.

Writers write a number that grows twice a second to a SQLite file, PostgreSQL, Redis, a web server and
a file, and publish it: what they wrote is the truth.  A real browser shows it, as a node on SQLite and
two nodes on one Redis see it, in tiles of all kinds but images.  One or two things at a time are
killed, frozen, silenced, locked, or restarted with another configuration, for a random while.  Every
200 ms the walls are compared with the truth.  What they show as current:

- was the newest at most KNOWABLE ago: so soon each fault is on the screen;
- if the link to the browser was silent, at most SILENT ago: the two ticks that have to be missed, a
  fifth of one for a busy machine, and the second in which the page draws.

Then nobody touches anything, and all is current again within BACK.

`wall.py SECONDS SEED` takes as long as it is told.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, Page, ViewportSize

from checks.numbered import Worker
from checks.proof import Proof, main, spread
from checks.world import EVERY, SHAPES, TITLES, Node, System, World
from tests.support.browser import chromium
from tests.support.proxy import Proxy

SECONDS, SEED = 600.0, 7
LOOK = 0.2
"""Seconds between two looks at the walls."""
KNOWABLE, TICK = 5.5, 5.0
SILENT = 2.2 * TICK + 1
BACK = 10.0

TILES = """() => [...document.querySelectorAll(".tile:not([hidden])")].map((tile) => {
  const text = (what) => tile.querySelector(what)?.textContent ?? "";
  const main = tile.querySelector(".value, .number, tbody td:last-child, .notice") ?? tile;
  const claims = [...[...tile.querySelectorAll(".pairs dd")].reverse(), main].map((part) => {
    const { state } = tile.dataset;
    const own = state === "current" ? part.closest("[data-state]").dataset.state : state;
    return [own, Number(part.textContent.replace(/[^\\d.]/g, ""))];
  });
  return [text("h2"), text(".foot"), claims];
})"""
"""The label and the reason of each tile, and the state and the number of each stream on it."""

SIGNS = ("hours", "band", "switches")
"""Kinds that show cells or signs: their number is that on the tile of the stream."""

SCREEN = ViewportSize(width=700, height=2600)
"""An upright screen, on which all tiles have room: what another page would show is no claim."""


class Fault(NamedTuple):
    """Something that can happen.

    :ivar about: of two at once it is different.
    :ivar hushed: the node whose page hears nothing meanwhile.
    """

    name: str
    about: object
    begin: Callable[[], object]
    finish: Callable[[], object]
    hushed: Node | None = None


class Watch:
    """Compares what one wall claims with the truth, look by look.

    :ivar ages: of each claim, how long ago it was the newest, in seconds.
    :ivar lies: those that were too old, in words.
    :ivar waiting: the streams that were not current and new at the last look, and what they were.
    """

    def __init__(self, page: Page, node: Node, system: System) -> None:
        self.node = node
        self.ages: list[float] = []
        self.lies: list[str] = []
        self.waiting: dict[str, str] = {}
        self._page, self._system = page, system
        self._silent_until = 0.0

    def look(self, what: str, silent: bool) -> None:
        now = time.monotonic()
        if silent:
            self._silent_until = now + SILENT
        bound = SILENT if now < self._silent_until else KNOWABLE
        truth = self._system.truth
        tiles = self._page.evaluate(TILES)
        numbers = {label: claims[-1][1] for label, _, claims in tiles}
        self.waiting = dict.fromkeys({*self._system.streams, *TITLES.values()}, "no tile")
        for label, reason, claims in tiles:
            kind, _, names = label.rpartition(" of ")
            streams = names.split(", ")
            claims += [("absent", 0)] * (len(streams) - len(claims))
            waiting = []
            for name, (state, own) in zip(streams, claims, strict=True):
                number = numbers.get(name, 0) if kind in SIGNS else own
                age = max(0.0, now - truth[name].followed(number))
                if state == "current":
                    self.ages.append(age)
                    if age > bound:
                        self.lies.append(
                            f"{name} of {label} on {self.node.name} {age:.1f} s old: {what}"
                        )
                if state != "current" or age >= 2 * EVERY + 1:
                    waiting.append(f"{state}, {age:.1f} s old, {reason}")
            if not waiting:
                self.waiting.pop(label, None)
            elif label in self.waiting:
                self.waiting[label] = waiting[0]


class Walls:
    """All walls, which are looked at while something happens."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self.all = watches
        self.looks = 0

    def look(self, faults: Collection[Fault] = (), when: str = "") -> set[str]:
        """Look once, and pause; return what is not current and new."""
        began = time.monotonic()
        hushed = [fault.hushed for fault in faults]
        what = when + ", ".join(fault.name for fault in faults)
        for watch in self.all:
            watch.look(what, watch.node in hushed)
        self.looks += 1
        time.sleep(max(0.0, began + LOOK - time.monotonic()))
        return {f"{n} on {w.node.name}: {why}" for w in self.all for n, why in w.waiting.items()}

    def during(self, faults: Collection[Fault], acts: Sequence[Callable[[], object]]) -> None:
        """Look again and again while functions run, one after the other."""
        with ThreadPoolExecutor(1) as pool:
            futures = [pool.submit(act) for act in acts]
            while not all(future.done() for future in futures):
                self.look(faults)
            for future in futures:
                future.result()

    def wait(self, when: str, patience: float) -> tuple[float, set[str]]:
        """Wait until all is current; return the seconds, and what is not current then."""
        began = time.monotonic()
        while (waiting := self.look((), when)) and time.monotonic() < began + patience:
            pass
        return time.monotonic() - began, waiting


def faults(world: World, systems: Sequence[System], chance: random.Random) -> Iterator[Fault]:
    """All that can happen."""
    postgres, redis = world.postgres, world.redis
    yield Fault("PostgreSQL is killed", postgres, postgres.kill, postgres.start)
    yield Fault("PostgreSQL is frozen", postgres, postgres.freeze, postgres.thaw)
    yield Fault("Redis is killed", redis, redis.kill, redis.start)
    yield Fault("Redis is frozen", redis, redis.freeze, redis.thaw)
    yield Fault("the SQLite file is locked", "file", world.lock, world.unlock)
    for system in systems:
        if pushed := system.truth.get("pushed"):
            speaks = pushed.speaks
            yield Fault("the publisher is silent", "publisher", speaks.clear, speaks.set)
        shape = chance.randrange(len(SHAPES))
        where = " and ".join(node.name for node in system.nodes)
        change = partial(system.change, shape)
        yield Fault(f"{where} changed to {shape}", system, change, bool)
        for node in system.nodes:
            yield from _faults_of(node, system)


def _faults_of(node: Node, system: System) -> Iterator[Fault]:
    name, daemon = node.name, node.daemon
    stop, go = partial(node.tell, signal.SIGSTOP), partial(node.tell, signal.SIGCONT)
    yield Fault(f"{name} is killed", system, daemon.kill, daemon.start)
    yield Fault(f"{name} is stopped", system, daemon.stop, daemon.start)
    yield Fault(f"{name} is frozen", system, stop, go, node)
    killer = Worker(node.kill_commands)
    yield Fault(f"commands of {name} are killed", killer, killer.start, killer.end)
    for what, link in node.links.items():
        text, hushed = f"the link of {name} to {what} is", node if what == "browser" else None
        yield Fault(f"{text} broken", link, link.sever, link.sever)
        yield Fault(f"{text} frozen", link, link.freeze, link.thaw, hushed)
        yield Fault(f"{text} silent", link, link.silence, link.speak, hushed)
    browser = node.links["browser"]
    for sort in ("refuse", "hang"):
        climb = partial(_upgrades, browser, sort)
        yield Fault(f"{name}: {sort} WebSockets", browser, climb, partial(_upgrades, browser))


def _upgrades(link: Proxy, sort: Literal["pass", "refuse", "hang"] = "pass") -> None:
    link.upgrades = sort
    link.sever()


def prove(
    proof: Proof,
    seconds: float = SECONDS,
    seed: int = SEED,
    longest: float = 20.0,
    browser: Browser | None = None,
) -> None:
    """:param longest: seconds that a fault lasts at most.

    :param browser: one that is there already.
    """
    proof.figure(f"seed {seed}")
    chance = random.Random(seed)
    back: list[float] = []
    with _walls(browser) as (walls, world, systems):
        _claim_back(proof, walls, "the beginning", 3 * BACK)
        end = time.monotonic() + seconds
        order: list[Fault] = []
        while (now := time.monotonic()) < end:
            if not order:
                order = list(faults(world, systems, chance))
                chance.shuffle(order)
            chosen = [order.pop()]
            if order and order[-1].about is not chosen[0].about and chance.random() < 0.5:
                chosen.append(order.pop())
            walls.during(chosen, [fault.begin for fault in chosen])
            until = time.monotonic() + chance.uniform(0, longest)
            while time.monotonic() < until:
                walls.look(chosen)
            walls.during(chosen, [fault.finish for fault in reversed(chosen)])
            names = " and ".join(fault.name for fault in chosen)
            most = BACK + SILENT * any(fault.hushed is not None for fault in chosen)
            when = f"{now - end + seconds:.0f} s: {names}, for {time.monotonic() - now:.1f} s"
            back.append(_claim_back(proof, walls, when, most))
        lies = [lie for watch in walls.all for lie in watch.lies]
        ages = [age for watch in walls.all for age in watch.ages]
        proof.claim(not lies, f"{len(lies)} lies {lies[:3]}")
        proof.figure(f"{walls.looks} looks, {len(ages)} claims")
        proof.figure(f"how old claims were: {spread(ages)}")
        proof.figure(f"until current again: {spread(back)}")


def _claim_back(proof: Proof, walls: Walls, when: str, most: float) -> float:
    seconds, waiting = walls.wait(f"after {when}", most * proof.patience)
    proof.claim(not waiting, f"{seconds:4.1f} s until current again, {when} {sorted(waiting)}")
    return seconds


@contextmanager
def _walls(browser: Browser | None) -> Iterator[tuple[Walls, World, list[System]]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamd-check-")))
        browser = stack.enter_context(nullcontext(browser) if browser else chromium())
        world = World(stack, folder)
        systems = [System(stack, world, names) for names in (("alone",), ("left", "right"))]
        watches = []
        for system in systems:
            for node in system.nodes:
                page = browser.new_page(viewport=SCREEN)
                stack.callback(page.close)
                page.goto(node.links["browser"].url)
                watches.append(Watch(page, node, system))
        yield Walls(watches), world, systems


if __name__ == "__main__":
    words = sys.argv[1:]
    main(
        lambda proof: prove(
            proof, float(words[0]) if words else SECONDS, int(words[1]) if words[1:] else SEED
        )
    )
