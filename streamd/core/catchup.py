"""Catching up: where a viewer begins, and what it is told.

:func:`since` is the one question of every viewer, however it reads and however long it was away.  The
functions read a :class:`~streamd.core.state.State` and change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice, takewhile
from operator import attrgetter
from typing import Any

from streamd.core.cursor import Answer, Backlog, Cursor
from streamd.core.health import Health
from streamd.core.selection import ALL_STREAMS, Selection
from streamd.core.state import State
from streamd.core.stream import Stream
from streamd.core.update import ORIGIN, Position, Update

MANY_UPDATES = 2048
MANY_BYTES = 128 * 1024
"""Updates, and bytes of their values, of one answer at most: a message of 64 KiB holds fewer."""

MANY_LOOKS = 20_000
"""Updates that one answer looks at, selected or not: some five milliseconds."""

MANY_MISSED = 4096
"""Updates that a viewer that lags is told of at once: some messages of 64 KiB."""


# -- where a viewer begins -------------------------------------------------------------------------


def begin(
    state: State,
    after: Position | None,
    selection: Selection,
    history: int = 1,
    known: Selection = ALL_STREAMS,
) -> tuple[Cursor, bool]:
    """Decide where a viewer begins, and whether it resumes at the position that it brings.

    :param after: the viewer has every update of ``known`` up to here; None: it has nothing.
    :param history: the number of updates of each stream that it gets of those that it does not have.
    """
    if after is None or not resumes(state, after, selection, known):
        return start(state, history), False
    return resume(state, after, known, history), True


def start(state: State, history: int = 1) -> Cursor:
    """Return the cursor of a viewer that has nothing."""
    return Cursor(ORIGIN, 0, Backlog(history, state.head))


def resume(
    state: State, after: Position, known: Selection = ALL_STREAMS, history: int = 1
) -> Cursor:
    """Return the cursor of a viewer that has ``known`` up to ``after``, and may select more by now."""
    at = after if known.all else ORIGIN
    return Cursor(at, state.revision, Backlog(history, state.head, known, after))


def resumes(
    state: State, after: Position, selection: Selection, known: Selection = ALL_STREAMS
) -> bool:
    """Whether the state still has every update after ``after`` that is selected and was known before.

    False for a position of another life of the log.  False for a position ahead of the log, unless
    other nodes follow the same log: a viewer may have read further there.
    """
    if after != ORIGIN and after.life != state.life:
        return False
    if after > state.head:
        return state.shared and known.all
    if after < state.kept.horizon:
        return False
    if after >= state.kept.lost:
        return True
    bits = state.roster.matches(selection).bits & state.roster.matches(known).bits
    streams = filter(None, map(state.streams.get, state.roster.select(bits)))
    return all(stream.lost <= after for stream in streams)


def is_beyond(state: State, cursor: Cursor) -> bool:
    """Whether a viewer may have a stream whose tombstone is gone: it has to begin anew.

    No message can tell it that this stream was forgotten.
    """
    return 0 < cursor.revision < state.kept.razed


# -- the one question ------------------------------------------------------------------------------


def since(
    state: State,
    cursor: Cursor,
    selection: Selection,
    newest: bool = False,
    whole: bool = False,
) -> Answer:
    """Return what a viewer at ``cursor`` has not been told, as far as history still has it.

    A long answer is cut: it has the oldest updates, more than fit one message, and says ``more``.

    :param newest: leave out an update if there is a newer one of the same stream, and all that is not
        an update.
    :param whole: do not cut; only for a cursor with a backlog.
    """
    backlog = cursor.backlog
    bits = state.roster.matches(selection).bits
    if backlog is None:
        return Missed(state, cursor, newest).answer(bits)
    at, more = state.head, False
    if newest:
        updates = _newest(state, cursor, bits, state.head)
    elif backlog.is_newest and cursor.at < backlog.until:
        # Not by way of the log, which may be a hundred times longer.
        at, more = backlog.until, backlog.until < state.head
        updates = [u for u in _newest(state, cursor, bits, at) if u.value is not None]
    else:
        updates, at = _after(state, cursor, backlog, bits, whole)
        more = at < state.head
    changes = Missed(state, cursor._replace(at=state.head), newest).answer(bits)
    return changes._replace(
        updates=updates,
        at=max(at, cursor.at),  # the cursor may come from a node that is further
        more=more,
        floor=backlog.after,
        first=cursor.at == ORIGIN and not backlog.known.all,
    )


class Missed:
    """What happened after a cursor without a backlog, whatever is selected: found once for all viewers.

    :ivar updates: as in :class:`Answer`.
    :ivar end: the cursor of a viewer that was told.
    :ivar more: whether the log goes on after ``end``.
    :ivar journal: as in :class:`Answer`.
    """

    def __init__(self, state: State, cursor: Cursor, newest: bool = False) -> None:
        self.updates: Sequence[Update]
        if newest:
            at, self.updates = state.head, _newest(state, cursor, -1, state.head)
        else:
            found = list(islice(state.kept.log.after(cursor.at), MANY_MISSED))
            at = found[-1].at if len(found) == MANY_MISSED else state.head
            self.updates = [update for update in found if update.value is not None]
        self.more = at < state.head
        self.end = Cursor(max(at, cursor.at), state.revision)
        self._since = since = state.revision if newest else cursor.revision
        self.journal = state.journal if state.journal_noted > since else None
        self._noted = list(takewhile(lambda s: s.noted > since, reversed(state.noted.values())))
        self._numbers = [state.roster.numbers[update.stream] for update in self.updates]
        self._updated = state.roster.bits_of({update.stream for update in self.updates})
        self._changed = state.roster.bits_of(stream.name for stream in self._noted)
        self._roster = state.roster

    def hits(self, bits: int) -> int:
        """Return the bits of those streams among ``bits`` of which there is anything to tell."""
        return bits & (self._updated | self._changed)

    def pick(self, bits: int) -> Sequence[int]:
        """Return the indexes of the updates of these streams."""
        wanted = bits & self._updated
        if not wanted:
            return ()
        if wanted == self._updated:
            return range(len(self.updates))
        flags = wanted.to_bytes(wanted.bit_length() // 8 + 1, "little")
        flags += bytes(len(self._roster.names) // 8 + 1 - len(flags))
        return [i for i, n in enumerate(self._numbers) if flags[n >> 3] >> (n & 7) & 1]

    def answer(self, bits: int) -> Answer:
        """Return the answer for the streams with these bits."""
        picked = self.pick(bits)
        all_of_them = len(picked) == len(self.updates)
        updates = self.updates if all_of_them else [self.updates[index] for index in picked]
        gone, streams, health = self._changes(bits)
        at, revision = self.end.at, self.end.revision
        return Answer(
            updates, gone, streams, health, self.journal, at, self.more, revision, ORIGIN, False
        )

    def _changes(self, bits: int) -> tuple[list[str], dict[str, Any], dict[str, Health]]:
        """Return the forgotten, the described and the judged streams among ``bits``."""
        gone: list[str] = []
        streams: dict[str, Any] = {}
        health: dict[str, Health] = {}
        if not bits & self._changed:
            return gone, streams, health
        numbers, since = self._roster.numbers, self._since
        for stream in self._noted:
            if not bits >> numbers[stream.name] & 1:
                continue
            if stream.buried > since:
                gone.append(stream.name)
            if stream.described > since and not stream.gone:
                streams[stream.name] = stream.description.public()
            if stream.judged > since and not stream.gone:
                health[stream.name] = stream.current_health()
        return gone, streams, health


def _newest(state: State, cursor: Cursor, bits: int, until: Position) -> list[Update]:
    """Return each stream's newest update up to ``until``, if it is after the cursor, in order."""
    backlog = cursor.backlog
    known = state.roster.matches(backlog.known).bits if backlog else 0
    updates = []
    for stream in _changed(state, cursor.at, bits):
        update = stream.history[-1]
        if update.value is None and backlog is not None and update.at <= backlog.until:
            if not known >> state.roster.numbers[stream.name] & 1:
                continue  # the viewer never had this stream
        elif update.at > until:
            found = next((u for u in reversed(stream.history) if u.at <= until), None)
            if found is None or found.at <= cursor.at:
                continue
            update = found
        updates.append(update)
    return sorted(updates, key=attrgetter("at"))


def _changed(state: State, at: Position, bits: int) -> Iterable[Stream]:
    """Return the streams with these bits that have an update after ``at``."""
    if at == ORIGIN:  # that may be few of very many
        streams = filter(None, map(state.streams.get, state.roster.select(bits)))
        return [stream for stream in streams if stream.history]
    numbers = state.roster.numbers
    recent = takewhile(lambda s: s.history[-1].at > at, reversed(state.kept.recent.values()))
    return [stream for stream in recent if bits >> numbers[stream.name] & 1]


def _after(
    state: State, cursor: Cursor, backlog: Backlog, bits: int, whole: bool
) -> tuple[list[Update], Position]:
    """Return the updates after the cursor in the order of the log, and how far this looked."""
    updates: list[Update] = []
    begins: dict[str, tuple[float, Position]] = {}
    known = state.roster.matches(backlog.known).bits
    at, size = cursor.at, 0
    for looks, update in enumerate(state.kept.log.after(cursor.at)):
        if not whole and (
            looks >= MANY_LOOKS
            or len(updates) > MANY_UPDATES
            or (len(updates) > 1 and size > MANY_BYTES)
        ):
            return updates, at
        at, name = update.at, update.stream
        if update.value is None:  # ``Answer.gone`` tells of it
            continue
        if name not in begins:
            number = state.roster.numbers[name]
            is_known = bool(known >> number & 1)
            wanted = bits >> number & 1
            begins[name] = (
                _first_wanted(state.streams[name], backlog, is_known) if wanted else _NEVER
            )
        seq, after = begins[name]
        if update.seq >= seq and at > after:
            updates.append(update)
            size += len(update.value)
    return updates, state.head


_NEVER = math.inf, ORIGIN
"""The first wanted seq of a stream of which no update is wanted."""


def _first_wanted(stream: Stream, backlog: Backlog, is_known: bool) -> tuple[float, Position]:
    """Return the first seq of a stream that is wanted, and the position after which it is."""
    if is_known:
        return 0, backlog.after
    old = (update.seq for update in reversed(stream.history) if update.at <= backlog.until)
    return next(old, 0) - backlog.history + 1, ORIGIN


# -- beside the log --------------------------------------------------------------------------------


def changed_since(state: State, time: float, selection: Selection) -> bool:
    """Whether the health of a selected stream changed after ``time``, in seconds since the epoch."""
    return any(stream.health.since >= time for stream in state.selected(selection))


def proofs(state: State, bits: int, until: Position) -> dict[str, float]:
    """Return when streams were last proved, in seconds since the epoch.

    :param bits: of the streams in question.
    :param until: how far the viewers have read.  A stream with a newer update is left out: they would
        take its proof for one of the older value.
    """
    streams = map(state.streams.__getitem__, state.roster.select(bits))
    return {
        s.name: s.proof
        for s in streams
        if s.proof is not None and not (s.history and s.history[-1].at > until)
    }
