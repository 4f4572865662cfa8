"""The long history of one stream: slots of its numbers, and segments of its words, levels and silences.

It is made of the same updates as the raw history, and outlives them.  What an update changes depends on
the update's own time: the history is the same as if all updates had come in the order of their times.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

import msgspec

from streamd.core.segments import Change, Segments
from streamd.core.slots import BLOCK_BYTES, Slots
from streamd.core.steps import finish, steps_of
from streamd.core.update import Place, Update, place_of, time_of
from streamd.core.values import number_and_word

MANY = 10_000
"""Updates of raw history that are read again for updates that came late: 130 ms were measured."""

AHEAD = 60.0
"""Seconds by which a history may lie in the future: the clocks of two nodes differ by less."""

UNSTORED = 10.0
"""Seconds that a stored history may lack at its end, although the value was known in that time."""

SILENT = "silent"
"""The word of a segment in which the value was not known."""

HEAD = -1
"""The number of the block that contains everything except slots."""

StoredBlocks = Mapping[str, Mapping[int, bytes]]
"""Blocks of long histories: stream -> number -> bytes."""

Blocks = Mapping[str, Mapping[int, bytes | None]]
"""Changes of blocks: stream -> number -> bytes; None for a block to delete."""


class Moment(NamedTuple):
    """The number and the words that begin at a time.

    :ivar time: seconds since the epoch.
    :ivar number: the number of the stream, or None.
    :ivar words: one word, or None, for each of the ``segments`` of a :class:`LongHistory`.
    """

    time: float
    number: float | None
    words: tuple[str | None, str | None, str | None]


_NOTHING = Moment(0.0, None, (None, None, None))
"""The moment before the first update."""


class Head(msgspec.Struct, frozen=True, array_like=True):
    """The block :data:`HEAD`, as JSON: see the attributes of the same names."""

    width: int
    at: Place
    rough: float | None
    newest: Moment
    dropped: Moment | None
    segments: tuple[list[Change], list[Change], list[Change]]


class LongHistory:
    """The long history of one stream.

    The class is long because an update, a silence and a restart each change all its parts at once.

    :ivar slots: the slots of its numbers.
    :ivar segments: of its words (texts, ``true`` and ``false``), of its levels, and of its silences.
    :ivar rough: the newest time of an update that came too late to count in the mean of its slot.
    :ivar at: the place of the newest update in this history.
    """

    def __init__(
        self,
        seconds: float,
        level: Callable[[bytes], str | None],
        stored: Iterable[int] = (),
    ) -> None:
        """:param seconds: the time that it covers.

        :param level: returns the level of a value; None if the stream has no limits.
        :param stored: blocks of a former history that a journal may have; they are to be deleted.
        """
        self._seconds = seconds
        self.slots = Slots(seconds)
        self.segments = Segments(), Segments(), Segments()
        self.rough: float | None = None
        self._until = 0.0  # the time until which it was followed before it was loaded
        self.slots.changed.update(stored)
        self._changed = bool(self.slots.changed)  # since changes()
        self.at: Place = (0, 0)
        self._level = level
        self._newest = _NOTHING
        self._late = math.inf  # the oldest time of an update that settle() has to count
        self._raw: Iterable[Update] = ()  # raw history, since such an update came
        # Of the updates that raw history dropped, the last one by time.
        self._dropped: Moment | None = None

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return self.slots.size + sum(segments.size for segments in self.segments)

    # -- write -------------------------------------------------------------------------------------

    def hear(self, update: Update, raw: Collection[Update]) -> None:
        """Add an update.

        :param raw: the raw history of the stream, with this update.
        """
        self.at = place_of(update)
        self._changed = True
        moment = self._moment(time_of(update), update.value)
        if 0 < self._until < moment.time - UNSTORED:
            self.silence(self._until)
            self._until = 0.0
        if moment.time >= self._newest.time:
            self._begin(moment)
        elif self._is_covered(moment.time, raw):
            self._late, self._raw = min(moment.time, self._late), raw
        else:
            self.rough = max(self.rough or 0.0, moment.time)
            if moment.number is not None:
                self.slots.touch(moment.time, moment.number)

    def silence(self, time: float) -> None:
        """Note that the value is unknown since a time."""
        self._changed = True
        self._begin(_silence(max(time, self._newest.time, self._until)))

    def resume(self, time: float, value: bytes | None) -> None:
        """Note that the newest value, if it was unknown, is known again since a time."""
        self._until = 0.0
        if self.segments[-1].word is not None:
            self._changed = True
            self._begin(self._moment(max(time, self._newest.time), value))

    def shorten(self) -> bool:
        """Drop the oldest block, or the older half of the segments; return True if more is left."""
        if len(self.slots.blocks) > 1:
            self.slots.drop(self.slots.blocks[0])
        else:
            for segments in self.segments:
                del segments.changes[: len(segments.changes) // 2]
        self._changed = True
        return self.size > 2 * BLOCK_BYTES

    def note_silence(self, begin: float, end: float | None) -> None:
        """Note an old silence, so that :meth:`replayed` knows it; None if it has not ended."""
        self.segments[-1].hear(begin, SILENT)
        if end is not None:
            self.segments[-1].hear(end, None)

    def drop(self, update: Update) -> None:
        """Note that raw history has dropped an update."""
        self._changed = True
        if self._late < math.inf and time_of(update) >= self._begin_of_slot(self._late):
            # The raw history may already have an update that hear() does not know yet.
            self._raw = [update, *(u for u in self._raw if place_of(u) <= self.at)]
            self.settle()
        if self._dropped is None or time_of(update) >= self._dropped.time:
            self._dropped = self._moment(time_of(update), update.value)

    def bound(self, now: float) -> None:
        """Cut off what lies in the future: the clock was set back, and every update would be late."""
        if self._newest.time <= now + AHEAD:
            return
        self.settle()
        self._changed = True
        self._newest = self._newest._replace(time=now)
        self.slots.cut(now)
        for segments in self.segments:
            segments.cut(now)
        if self._dropped is not None:
            self._dropped = self._dropped._replace(time=min(self._dropped.time, now))

    def _set_newest(self, moment: Moment) -> None:
        self._newest = moment
        self.slots.began, self.slots.number = moment.time, moment.number

    def _begin(self, moment: Moment) -> None:
        self._newest = moment
        self.slots.hear(moment.time, moment.number)
        for segments, word in zip(self.segments, moment.words, strict=True):
            segments.hear(moment.time, word)

    def _moment(self, time: float, value: bytes | None) -> Moment:
        number, word = number_and_word(value)
        level = None if value is None else self._level(value)
        return Moment(time, number, (word, level, None))

    # -- updates that come late --------------------------------------------------------------------

    def _is_covered(self, time: float, raw: Collection[Update]) -> bool:
        """Return whether raw history has all updates since the slot of a time began."""
        begin = self._begin_of_slot(time)
        return len(raw) <= MANY and (self._dropped is None or self._dropped.time < begin)

    def _begin_of_slot(self, time: float) -> int:
        return self.slots.index(time) * self.slots.width

    def settle(self) -> None:
        """Count the updates that came late, all at once; to be called before anything is read."""
        if self._late < math.inf:
            late, self._late = self._late, math.inf
            self._replay(late, self._raw)

    def _replay(self, time: float, raw: Iterable[Update]) -> None:
        """Compute everything since a time again, from raw history and the silences."""
        begin, end = self._begin_of_slot(time), self._newest.time
        other = finish(self.replayed(raw, self._seconds, begin, end))
        self.slots.copy(other.slots, time, self._newest.time)
        for segments, others in zip(self.segments, other.segments, strict=True):
            segments.replace(time, others)
        self._set_newest(other._newest)

    def replayed(
        self, raw: Iterable[Update], seconds: float, begin: float, end: float
    ) -> Generator[None, None, LongHistory]:
        """Return a history that is made of raw history and of the silences only.

        The generator yields after every :data:`STEP` updates.

        :param seconds: the time that it covers.
        :param begin: what lies before is left out, except what holds then.
        :param end: what lies after begins then.
        """
        values = [] if self._dropped is None else [self._dropped]
        for some in steps_of(raw):
            values += [self._moment(min(time_of(u), end), u.value) for u in some]
            yield
        values.sort(key=attrgetter("time"))
        other = LongHistory(seconds, self._level)
        for moments in steps_of(_since(begin, self._with_silences(values))):
            for moment in moments:
                other._begin(moment)
            yield
        return other

    def _with_silences(self, values: Iterable[Moment]) -> Iterator[Moment]:
        """Yield the moments, and those at which a silence begins or ends, in the order of time."""
        changes = deque(self.segments[-1].changes)
        held = _NOTHING
        for moment in chain(values, [_NOTHING._replace(time=math.inf)]):
            while changes and (changes[0][0], bool(changes[0][1])) <= (moment.time, False):
                begin, word = changes.popleft()  # a silence begins after an update of the same time
                if word:
                    yield _silence(begin)
                elif begin < moment.time:  # else the update itself ended the silence
                    yield held._replace(time=begin)
            if moment.time < math.inf:
                yield moment
            held = moment

    # -- store -------------------------------------------------------------------------------------

    @property
    def raw_since(self) -> float | None:
        """The time since which raw history has all updates; None if it has dropped none."""
        return None if self._dropped is None else self._dropped.time

    @property
    def stored(self) -> set[int]:
        """The blocks that a journal may have."""
        return {*self.slots.blocks, *self.slots.changed}

    def changes(self) -> dict[int, bytes | None]:
        """Return the blocks that changed since the last call; None for a block to delete."""
        if not self._changed:
            return {}
        self.settle()
        self._changed = False
        blocks: dict[int, bytes | None] = {HEAD: self._head()}
        blocks |= {number: self.slots.dump(number) for number in self.slots.changed}
        self.slots.changed.clear()
        return blocks

    def mark(self, blocks: Iterable[int]) -> None:
        """Count blocks as changed again: they could not be stored."""
        self.slots.changed.update(number for number in blocks if number != HEAD)
        self._changed = True

    def forget_changes(self) -> None:
        """Count only the two newest blocks as changed; everything else is stored by others."""
        self.slots.changed.intersection_update(self.slots.blocks[-2:])

    def _head(self) -> bytes:
        words, levels, silences = (segments.changes for segments in self.segments)
        return msgspec.json.encode(
            Head(
                self.slots.width,
                self.at,
                self.rough,
                self._newest,
                self._dropped,
                (words, levels, silences),
            )
        )

    def load(self, blocks: Mapping[int, bytes], until: float) -> None:
        """Continue the history that was stored.

        :param until: the time until which it was followed; its newest value held until then.
        :raises ValueError: the blocks are not those of a history, or their slots are of another width.
        """
        try:
            head = msgspec.json.decode(blocks.get(HEAD, b""), type=Head)
        except msgspec.MsgspecError as error:  # before msgspec 0.21 this is not a ValueError
            raise ValueError(str(error)) from None
        if head.width != self.slots.width:
            raise ValueError(f"its slots have {head.width} s, not {self.slots.width} s")
        for number, data in blocks.items():
            if number != HEAD:
                self.slots.load(number, data)
        self.at = head.at
        self._until, self.rough, self._dropped = until, head.rough, head.dropped
        words, levels, silences = head.segments
        self.segments = Segments(words), Segments(levels), Segments(silences)
        self._set_newest(head.newest)


def _since(begin: float, moments: Iterable[Moment]) -> Iterator[Moment]:
    """Yield the last moment before a time, and all since."""
    before = None
    for moment in moments:
        if moment.time < begin:
            before = moment
            continue
        if before is not None:
            yield before
            before = None
        yield moment
    if before is not None:
        yield before


def _silence(time: float) -> Moment:
    return Moment(time, None, (None, None, SILENT))
