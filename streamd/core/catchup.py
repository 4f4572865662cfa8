"""Catching up: where a viewer begins to read, and which updates it does not have yet.

:func:`since` answers this for every viewer, on every transport and after any time away.  The functions
read a :class:`~streamd.core.state.State` and change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, takewhile
from operator import attrgetter
from typing import Any

from msgspec.structs import replace

from streamd.core.cursor import Answer, Backlog, Cursor
from streamd.core.health.verdict import Health
from streamd.core.selection import ALL_STREAMS, Selection
from streamd.core.state import State
from streamd.core.stream import Stream
from streamd.core.update import ORIGIN, Position, Update

MANY_UPDATES = 2048
MANY_BYTES = 128 * 1024
"""The most updates, and bytes of their values, in one answer: a message of 64 KiB holds fewer."""

MANY_LOOKS = 20_000
"""The most updates that one answer looks at, selected or not: this takes some five milliseconds."""

MANY_MISSED = 4096
"""The most updates in one answer to a viewer that lags: several messages of 64 KiB."""

FEW = 8
"""If fewer than one in this many updates is of wanted streams, these are looked up one by one."""


# -- where a viewer begins -------------------------------------------------------------------------


def begin(
    state: State,
    after: Position | None,
    selection: Selection,
    history: int = 1,
    known: Selection = ALL_STREAMS,
) -> tuple[Cursor, bool]:
    """Return the cursor at which a viewer begins, and whether it resumes after ``after``.

    :param after: the viewer has every update of ``known`` up to this position; None if it has nothing.
    :param history: how many of the newest updates it gets of each stream that is new to it.
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
    """Return the cursor of a viewer that has ``known`` up to ``after`` and may now select more."""
    at = after if known.all else ORIGIN
    return Cursor(at, state.revision, Backlog(history, state.head, known, after))


def resumes(
    state: State, after: Position, selection: Selection, known: Selection = ALL_STREAMS
) -> bool:
    """Return whether a viewer can resume: no update after ``after`` that it needs was dropped.

    It needs the updates of the streams that are in both ``selection`` and ``known``.  The result is
    False for a position of another life of the log.  It is also False for a position ahead of the log,
    unless other nodes follow the same log: the viewer may have read further at one of them.
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
    """Return whether a viewer must begin anew, because it may show a stream that no longer exists.

    The tombstone of that stream was removed, so no message can tell the viewer that it was forgotten.
    """
    return 0 < cursor.revision < state.kept.razed


# -- the one question ------------------------------------------------------------------------------


def since(
    state: State,
    cursor: Cursor,
    selection: Selection,
    newest: bool = False,
) -> Answer:
    """Return the updates and changes that a viewer at ``cursor`` lacks, as far as history has them.

    A long answer has only the oldest updates, enough to fill a message.  ``more`` is set then.

    :param newest: return only the newest update of each stream, and neither health nor descriptions.
    """
    backlog = cursor.backlog
    bits = state.roster.matches(selection).bits
    if backlog is None:
        missed = Missed(state, cursor, newest)
        return missed.answer(bits, missed.pick(bits))
    at, more = state.head, False
    if newest:
        updates = _newest(state, cursor, bits, state.head)
    elif backlog.is_newest and cursor.at < backlog.until:
        # From the histories, not from the log, which may be a hundred times longer.
        at, more = backlog.until, backlog.until < state.head
        updates = [u for u in _newest(state, cursor, bits, at) if u.value is not None]
    else:
        updates, at = _after(state, cursor, backlog, bits)
        more = at < state.head
    changes = Missed(state, replace(cursor, at=state.head), newest).answer(bits, ())
    return replace(
        changes,
        updates=updates,
        at=max(at, cursor.at),  # the cursor may come from a node that is further
        more=more,
        floor=backlog.after,
        first=cursor.at == ORIGIN and not backlog.known.all,
    )


class Missed:
    """All changes of all streams after a cursor, computed once and shared by all selections.

    The cursor has no backlog.

    :ivar updates: as in :class:`Answer`.
    :ivar touched: the streams that changed, as bits of the roster.
    """

    def __init__(self, state: State, cursor: Cursor, newest: bool = False) -> None:
        self.updates: Sequence[Update]
        at = state.head
        if newest:
            self.updates = [stream.history[-1] for stream in _recent(state, cursor.at)][::-1]
        else:
            found = list(islice(state.kept.log.after(cursor.at), MANY_MISSED))
            if len(found) == MANY_MISSED:
                at = found[-1].at
            self.updates = [update for update in found if update.value is not None]
        self._state = state
        self._at = max(at, cursor.at)  # the cursor may come from a node that is further
        self._since = since = state.revision if newest else cursor.revision
        roster = state.roster
        self._numbers = [roster.numbers[update.stream] for update in self.updates]
        self._places: Mapping[int, Sequence[int]] = {}
        self.touched = self._updated = roster.bits_of(self._numbers)
        self._noted: Sequence[Stream] = ()
        if state.revision > since:
            self._noted = list(takewhile(lambda s: s.noted > since, reversed(state.noted.values())))
            self.touched |= roster.bits_of([roster.numbers[stream.name] for stream in self._noted])

    def pick(self, bits: int) -> Sequence[int]:
        """Return the indexes of the updates of some streams, given as bits of the roster."""
        wanted = bits & self._updated
        if not wanted:
            return ()
        if wanted == self._updated:
            return range(len(self.updates))
        if wanted.bit_count() * FEW < len(self._numbers):
            places = self._places = self._places or _places_of(self._numbers)
            if not wanted & (wanted - 1):  # one stream, which is usual if there are many
                return places[wanted.bit_length() - 1]
            return sorted(chain.from_iterable(places[number] for number in _numbers_in(wanted)))
        flags = wanted.to_bytes(wanted.bit_length() // 8 + 1, "little")
        flags += bytes(len(self._state.roster.names) // 8 + 1 - len(flags))
        return [i for i, n in enumerate(self._numbers) if flags[n >> 3] >> (n & 7) & 1]

    def answer(self, bits: int, picked: Sequence[int]) -> Answer:
        """Return the answer for some streams, given as bits of the roster.

        :param picked: the result of :meth:`pick` for the same streams.
        """
        state, since, updates = self._state, self._since, self.updates
        if len(picked) < len(updates):
            updates = [updates[index] for index in picked]
        gone: list[str] = []
        streams: dict[str, Any] = {}
        health: dict[str, Health] = {}
        journal = state.journal_told if state.journal_noted > since else None
        configuration = state.configuration if state.configuration_noted > since else None
        answer = Answer(
            updates,
            gone,
            streams,
            health,
            journal,
            self._at,
            more=self._at < state.head,
            revision=state.revision,
            floor=ORIGIN,
            first=False,
            configuration=configuration,
        )
        numbers = state.roster.numbers
        for stream in self._noted:
            if not bits >> numbers[stream.name] & 1:
                continue
            if stream.buried > since:
                gone.append(stream.name)
            if stream.described > since and not stream.gone:
                streams[stream.name] = stream.description.public()
            if stream.judged > since and not stream.gone:
                health[stream.name] = stream.current_health()
        return answer


def _places_of(numbers: Iterable[int]) -> Mapping[int, Sequence[int]]:
    """Return where each number is in a sequence."""
    places: dict[int, list[int]] = {}
    for place, number in enumerate(numbers):
        places.setdefault(number, []).append(place)
    return places


def _numbers_in(bits: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set, which are few."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def _newest(state: State, cursor: Cursor, bits: int, until: Position) -> list[Update]:
    """Return each stream's newest update up to ``until`` that is after the cursor, in log order."""
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
    if at == ORIGIN:  # all streams with these bits, which may be few of very many
        streams = filter(None, map(state.streams.get, state.roster.select(bits)))
        return [stream for stream in streams if stream.history]
    numbers = state.roster.numbers
    return [stream for stream in _recent(state, at) if bits >> numbers[stream.name] & 1]


def _recent(state: State, at: Position) -> Iterator[Stream]:
    """Yield the streams with an update after ``at``, in the reverse order of their newest updates."""
    return takewhile(lambda s: s.history[-1].at > at, reversed(state.kept.recent.values()))


def _after(
    state: State, cursor: Cursor, backlog: Backlog, bits: int
) -> tuple[list[Update], Position]:
    """Return the updates after the cursor in log order, and the position up to which it searched."""
    updates: list[Update] = []
    begins: dict[str, tuple[float, Position]] = {}
    known = state.roster.matches(backlog.known).bits
    at, size = cursor.at, 0
    for looks, update in enumerate(state.kept.log.after(cursor.at)):
        if (
            looks >= MANY_LOOKS
            or len(updates) > MANY_UPDATES
            or (len(updates) > 1 and size > MANY_BYTES)
        ):
            return updates, at
        at, name = update.at, update.stream
        if update.value is None:  # the stream is in ``Answer.gone``
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
"""The result of :func:`_first_wanted` for a stream that is not selected."""


def _first_wanted(stream: Stream, backlog: Backlog, is_known: bool) -> tuple[float, Position]:
    """Return the lowest wanted ``seq`` of a stream, and the position after which updates are wanted."""
    if is_known:
        return 0, backlog.after
    old = (update.seq for update in reversed(stream.history) if update.at <= backlog.until)
    return next(old, 0) - backlog.history + 1, ORIGIN


# -- beside the log --------------------------------------------------------------------------------


def changed_since(state: State, time: float, selection: Selection) -> bool:
    """Return whether the health of a selected stream changed at or after ``time`` (epoch seconds)."""
    return any(stream.health.since >= time for stream in state.selected(selection))


def proofs(state: State, bits: int, until: Position, last: float = 0.0) -> dict[str, float]:
    """Return when the values of streams were last confirmed: name -> seconds since the epoch.

    If a stream has a newer update than viewers have, their value counts as confirmed up to ``until``
    and no later.  A stream that changes shortly before every tick would otherwise never be in a tick,
    and would be late on every wall.

    :param bits: the streams to look at, as bits of the roster.
    :param until: the position up to which the viewers have read.
    :param last: the time of the last tick.  A confirmation up to ``until`` counts only after it,
        because viewers may already know a newer one.
    """
    found = {}
    # A name may have changed hands since the bits were found: an entry of a source has no proof.
    for s in filter(None, map(state.streams.get, state.roster.select(bits))):
        if s.proof is None:
            continue
        if not (s.history and s.history[-1].at > until):
            found[s.name] = s.proof
        elif until.ms / 1000 > last:
            found[s.name] = min(s.proof, until.ms / 1000)
    return found
