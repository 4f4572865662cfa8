"""The truth about numbered streams, and a judge of what one reader of them was told.

The value of a stream's update number n is ``[n, padding]``, so also who is told no ``seq`` can be
judged.  `Ledger` knows all that was published and what a daemon may have let go of it; `Sight` is what
one reader has, and finds every duplicate, every step back, every hole that is not the daemon's right,
and every claim to have resumed that is not true.
"""

from __future__ import annotations

import base64
import random
from collections import deque
from collections.abc import Mapping
from typing import Any

from checks.crowd import Publisher
from checks.readers import EVENTS, POLLS, Heard, Way
from streamd.core.retention import UPDATE_BYTES
from streamd.core.values import MAX_VALUE

ORIGIN = "0-0"

PADDING = base64.b64encode(random.Random(0).randbytes(48_000))
"""Compression gains little on this, so that a slow reader of compressed messages is slow, too."""


class Wrong(Exception):
    """The reader was told something that is not true, or not told something that is."""


class Ledger:
    """Publishes, and knows every update that it published.

    :ivar sent: how many updates of each stream were sent.
    """

    def __init__(
        self, port: int, names: list[str], keep: int, max_state: int, rng: random.Random
    ) -> None:
        """:param keep: updates of a stream that the daemon keeps.

        :param max_state: bytes that it keeps of all.
        """
        self.sent = dict.fromkeys(names, 0)
        self._accepted = dict.fromkeys(names, 0)
        self._waiting: deque[str] = deque()
        self._counted = 0
        self._port = port
        self._publisher = Publisher(port)
        self._keep = keep
        self._max_state = max_state
        self._rng = rng
        self._total = 0
        self._padding: dict[tuple[str, int], int] = {}
        self._ends: dict[tuple[str, int], int] = {}

    def publish(self, name: str, padding: int) -> None:
        """Publishes one more update of a stream."""
        self.sent[name] = number = self.sent[name] + 1
        value = b'[%d,"%b"]' % (number, PADDING[:padding])
        assert len(value) <= MAX_VALUE
        self._total += len(value) + UPDATE_BYTES
        self._padding[name, number] = padding
        self._ends[name, number] = self._total
        self._waiting.append(name)
        self._publisher.publish(name, value)

    def burst(self, most: int, largest: int) -> None:
        """Publishes several updates at once; one in a hundred fills a message alone."""
        for _ in range(self._rng.randint(1, most)):
            name = self._rng.choice(list(self.sent))
            large = self._rng.random() < 0.01
            self.publish(name, self._rng.randrange(largest if large else largest // 50))

    def accepted(self) -> Mapping[str, int]:
        """How many updates of each stream are acknowledged, and so have to be known."""
        self._publisher.count_answers()
        while self._counted < self._publisher.accepted:
            self._accepted[self._waiting.popleft()] += 1
            self._counted += 1
        return self._accepted

    @property
    def all_accepted(self) -> bool:
        return self.accepted() == self.sent

    def is_value(self, name: str, value: Any) -> bool:
        """Whether this stream had this value."""
        number, padding = value
        return self._padding.get((name, number)) == len(padding) and PADDING.startswith(
            padding.encode()
        )

    def may_be_gone(self, name: str, number: int) -> bool:
        """Whether the daemon may have let this update go by now.

        It lets go of the oldest, and a sixteenth of its bound at once.
        """
        if number <= self.sent[name] - self._keep:
            return True
        newer = self._total - self._ends[name, number]
        return newer > self._max_state * 3 // 4

    def was_gone(self, number: int, accepted: int) -> bool:
        """Whether it is certain that it was gone when this many updates were acknowledged."""
        return number <= accepted - self._keep

    def reopen(self) -> None:
        """After :meth:`close`: the daemon is back with all that was sent, which it had accepted."""
        self._publisher, self._counted = Publisher(self._port), 0

    def close(self) -> None:
        self._publisher.close()


class Sight:
    """What one reader has, connection after connection.

    :ivar cursor: what it sends when it comes back; None: nothing.
    :ivar newest: the number of the newest update of each stream.
    :ivar complete: nothing was promised that did not come yet.
    :ivar told: how many updates it was told.
    :ivar holes: how many it knows that it missed.
    :ivar refused: how often it was told that it cannot resume.
    """

    def __init__(self, way: Way, ledger: Ledger, cursor: str | None) -> None:
        self.way = way
        self.cursor = cursor if way.resumes else None
        self.newest: dict[str, int] = {}
        self.complete = False
        self.told = self.holes = self.refused = 0
        self._ledger = ledger
        self._floor: Mapping[str, int] = {}
        self._asked: str | None = None
        self._dead: str | None = None  # a cursor that cannot be resumed from, ever
        self._from_origin = False

    def begin_life(self, ledger: Ledger) -> None:
        """The daemon lost its log and begins a new one."""
        self._ledger = ledger
        self._floor = {}
        self._dead = None if self.cursor == ORIGIN else self.cursor
        if self._dead is None:
            self._begin_anew()

    def connect(self, alone: bool = True) -> str | None:
        """Begins a connection; returns the cursor to ask with.

        :param alone: to the one daemon that there is: what it has acknowledged, it has to know.
        """
        self._asked = self.cursor
        self._floor = dict(self._ledger.accepted()) if alone else {}
        # Who polls is complete between two connections; plain events may have nothing to say.
        self.complete = self.complete and self.way in (POLLS, EVENTS)
        return self._asked

    def hear(self, heard: Heard) -> None:
        """:raises Wrong: if it may not be."""
        kind, body, cursor = heard
        if kind == "hello":
            self._resume(body["resumed"], body["at"])
            if not body["more"]:
                self._end_answer()
        elif kind == "updates":
            self._take(body)
        elif kind == "poll":
            self._resume(body["resumed"], None)
            self._take(body)
        elif kind == "nothing":
            self._end_answer()
        elif kind == "state":
            self._take_plain(body)
        elif kind == "gap":
            self._resume(False, None)
        if cursor is not None:
            self.cursor = cursor

    def _resume(self, resumed: bool, at: str | None) -> None:
        asked = self._asked
        if resumed:
            if asked is None or asked == self._dead:
                raise Wrong(f"resumed from {asked}, which cannot be")
            if at not in (None, asked):
                raise Wrong(f"resumed from {at}, asked for {asked}")
            self._from_origin |= asked == ORIGIN
            self._check_resumed()
            return
        if at not in (None, ORIGIN):
            raise Wrong(f"not resumed, and yet at {at}")
        if asked is not None:
            self.refused += 1
            if asked != self._dead and not self._may_have_lost():
                raise Wrong(f"refused to resume from {asked}, though nothing is gone")
            self._dead = None if asked == ORIGIN else asked
        self._begin_anew()

    def _check_resumed(self) -> None:
        for name, accepted in self._floor.items():
            number = self.newest.get(name, 0)
            followed = number or self._from_origin
            if followed and self._ledger.was_gone(number + 1, accepted):
                raise Wrong(f"resumed, though {name} {number + 1} was gone")

    def _may_have_lost(self) -> bool:
        return any(
            number < sent and self._ledger.may_be_gone(name, number + 1)
            for name, sent in self._ledger.sent.items()
            for number in (self.newest.get(name, 0),)
        )

    def _begin_anew(self) -> None:
        self.newest.clear()
        self._from_origin = False

    def _take(self, body: Any) -> None:
        last = None
        for update in body["updates"]:
            name, number = update["stream"], update["seq"]
            if update["value"][0] != number or not self._ledger.is_value(name, update["value"]):
                raise Wrong(f"{name} {number}: its value is {str(update['value'])[:40]}")
            at = _position(update["at"])
            if last is not None and at <= last:
                raise Wrong(f"{name} {number} is out of order: {at} after {last}")
            last = at
            self._count(name, number)
        if last is not None and _position(body["at"]) < last:
            raise Wrong(f"the message is at {body['at']}, its last update at {last}")
        self.complete = False
        if "more" not in body:
            self._end_answer()

    def _count(self, name: str, number: int) -> None:
        before = self.newest.get(name, 0)
        if number <= before:
            raise Wrong(f"{name}: {number} after {before}")
        self.told += 1
        self.newest[name] = number
        if before == 0 and not self._from_origin:
            return  # the first that it ever sees of this stream
        if number > before + 1:
            self.holes += number - before - 1
            if not self._ledger.may_be_gone(name, number - 1):
                raise Wrong(f"{name}: {number} after {before}, though {number - 1} is not gone")

    def _end_answer(self) -> None:
        """All that was acknowledged when the connection began has to be there now."""
        self.complete = True
        for name, number in self._floor.items():
            if self.newest.get(name, 0) < number:
                raise Wrong(f"{name} is at {self.newest.get(name, 0)}, and was at {number} before")

    def _take_plain(self, body: Mapping[str, Any]) -> None:
        for name, value in body.items():
            number, before = value[0], self.newest.get(name, 0)
            if not self._ledger.is_value(name, value):
                raise Wrong(f"{name}: it never was {str(value)[:40]}")
            # Whoever cannot resume is told what it has already, once a connection.
            again = not self.way.resumes and name in self._floor
            if number < before or (number == before and not again):
                raise Wrong(f"{name}: {number} after {before}")
            self.told += 1
            self.newest[name] = number
        if not self.way.resumes:
            self._floor = {n: c for n, c in self._floor.items() if n not in body}
        self.complete = True

    def is_current(self) -> bool:
        """Whether it has the newest of all there is."""
        return self.complete and self.newest == {n: c for n, c in self._ledger.sent.items() if c}


def _position(text: str) -> tuple[int, int]:
    ms, n = text.split("-")
    return int(ms), int(n)
