"""Counts of the appends to a journal: their updates, their delays and their errors."""

from __future__ import annotations

from collections import Counter

from streamd.core.histogram import SLOW, Histogram


class AppendCounts:
    """The counts of one journal.

    :ivar updates: how many updates were committed.
    :ivar octets: the bytes of their values.
    :ivar delays: how long each append waited for its commit.
    :ivar errors: how many appends failed, by the reason: the code of a
        :class:`~streamd.core.errors.Refused`, ``outrun`` (another node runs the source), or
        ``internal``.
    """

    def __init__(self) -> None:
        self.updates = 0
        self.octets = 0
        self.delays = Histogram(SLOW)
        self.errors: Counter[str] = Counter()
