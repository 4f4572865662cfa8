"""``make bench-formulas``: the share of a core that formulas take.

A thousand streams get one update a second, and a thousand formulas read them; only one formula reads
all of them.  Time is simulated, so a second takes as long as its work.  Each kind of formula is
measured in turns with no formulas.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from statistics import median

from twisted.internet.task import Clock

from streamd.core.formulas.formula import Formula
from streamd.core.histories.blocks import StoredBlocks
from streamd.core.state import State
from streamd.core.update import Draft, Position, Update
from streamd.journals.memory import MemoryJournal
from streamd.sources.feed import Feed
from streamd.sources.formula import FormulaSource
from streamd.sources.settings import SourceSettings

STREAMS = 1000
SECONDS = 5
ROUNDS = 3

FORMULAS = {
    "none": "",
    "arithmetic": "100 * s{n} / (s{other} + 1)",
    "a window": 'rate(s{n}, "60s")',
    "a small glob": 'sum("s{n}*")',
    "a large glob": 'sum("s*")',
}


class Daemon:
    """A log in memory, a state that follows it, and formulas."""

    def __init__(self, text: str) -> None:
        self.time = 1e9
        self.state = State(self.now())
        self.room = self.state.room
        self.journal = MemoryJournal(self.now, self.now, 1)
        self.journal.start(self)
        self.count = 0
        self.publish()
        self.sources: list[FormulaSource] = []
        clock = Clock()  # its timers never fire: a thousand of them take it longer than formulas do
        # One formula that reads all is compared with a thousand that read a few each.
        for n in range(0 if not text else 1 if '"s*"' in text else STREAMS):
            formula = Formula(text.format(n=n, other=(n + 1) % STREAMS))
            settings = SourceSettings()
            feed = Feed(f"f{n}", settings, self.journal, self.state, self.now, lambda: None)
            self.sources.append(FormulaSource(formula, clock, self.now))
            self.sources[-1].start(feed)

    def now(self) -> float:
        return self.time

    def publish(self) -> None:
        self.count += 1
        for n in range(STREAMS):
            self.journal.append([Draft(f"s{n}", b"%d" % (self.count + n))])

    def turn(self) -> float:
        """Let a second pass; return the seconds of CPU that it took."""
        began = time.process_time()
        self.publish()
        self.time += 1.0
        for source in self.sources:
            source.look()
        self.state.judge(self.now(), self.now())
        return time.process_time() - began

    # -- the journal's follower --------------------------------------------------------------------

    def restore(
        self, life: int, held: Iterable[Update], horizon: Position, blocks: StoredBlocks
    ) -> None:
        self.state.restore(life, held, horizon, blocks, self.now(), self.now())

    def committed(self, updates: Sequence[Update]) -> None:
        self.state.apply(updates, self.now())

    def away(self, why: str | None) -> None:
        raise AssertionError(why)

    def skipped(self, streams: Collection[str], why: str) -> None:
        raise AssertionError(why)

    def lost(self, why: str) -> None:
        raise AssertionError(why)


def main() -> None:
    taken: dict[str, list[float]] = {name: [] for name in FORMULAS}
    for _ in range(ROUNDS):
        for name, text in FORMULAS.items():
            daemon = Daemon(text)
            for _ in range(70 if "60s" in text else 1):  # until the window is known
                daemon.turn()
            taken[name].append(sum(daemon.turn() for _ in range(SECONDS)) / SECONDS)
    base = median(taken["none"])
    for name, seconds in taken.items():
        share, more = median(seconds) * 100, (median(seconds) - base) * 100
        print(f"{name:12} {share:5.1f} % of a core, {more:5.1f} % for the formulas")


if __name__ == "__main__":
    main()
