"""The long history of one stream: slots of its numbers, and segments of its words, levels and silences.

It is made of the same updates as the raw history, and outlives them.  The effect of an update
depends on its own time: the history is the same as if all updates had come in the order of their
times.  The module is long because an update, a silence and a restart each change all parts at once.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from operator import attrgetter

import msgspec

from streamd.core.histories.blocks import HEAD, BlockHead, load_blocks
from streamd.core.histories.late_updates import stretches, within
from streamd.core.histories.moments import NOTHING, SILENT, Moment, silence, since, with_silences
from streamd.core.histories.segments import Change, Segments
from streamd.core.histories.slots import BLOCK_BYTES, Slots
from streamd.core.steps import SHORT_STEP, finish, steps_of
from streamd.core.update import Place, Update, place_of, time_of
from streamd.core.values import number_and_word

MANY = 10_000
"""The most updates of raw history that are read again for updates that came late.  That takes 5 ms for
a few late updates, because the others are only put in order, and 100 ms if all of them are late."""

AHEAD = 60.0
"""Seconds by which a history may lie in the future: the clocks of two nodes differ by less."""

LEFT = 3
"""Times that a node without the lease keeps changes.  Another node stores every five seconds, and takes
over a lease after three."""


class Cut(msgspec.Struct, frozen=True, array_like=True):
    """A step back of the clock.

    :ivar at: the place of the newest update at that moment.
    :ivar held: the value that held then, as a :class:`Moment` with the time of the step.
    """

    at: Place
    held: Moment


class Head(BlockHead, frozen=True, array_like=True):
    """The head of a long history: see the attributes of the same names."""

    at: Place
    rough: float | None
    newest: Moment
    held: Moment
    dropped: Moment | None
    segments: tuple[list[Change], list[Change], list[Change]]
    cut: Cut | None


class LongHistory:
    """The long history of one stream.

    The class is long because an update, a silence and a restart each change all its parts at once.

    :ivar seconds: the time that it covers.
    :ivar slots: the slots of its numbers.
    :ivar segments: three: those of its words (texts, ``true`` and ``false``), of its levels, and of
        its silences.
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
        self.seconds = seconds
        self.slots = Slots(seconds)
        self.segments = Segments(), Segments(), Segments()
        self.rough: float | None = None
        self._until = 0.0  # the time until which it was followed before it was loaded
        self.slots.changed.update(stored)
        self._changed = bool(self.slots.changed)  # since changes()
        self.at: Place = (0, 0)
        self._level = level
        self._newest = NOTHING
        self._held = NOTHING  # the newest update by time: it holds again when a silence ends
        self._late: list[float] = []  # the times of the updates that settle() has to count
        self._raw: Collection[Update] = ()  # raw history, since such an update came
        # Of the updates that raw history dropped, the last one by time.
        self._dropped: Moment | None = None
        self._cut: Cut | None = None  # the last step back of the clock
        # Blocks whose changes were left to another node, the newest last.
        self._left: deque[set[int]] = deque(maxlen=LEFT)

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return self.slots.size + sum(segments.size for segments in self.segments)

    # -- write -------------------------------------------------------------------------------------

    def hear(self, update: Update, raw: Collection[Update]) -> None:
        """Add an update, unless the history has it already.

        :param raw: the raw history of the stream, with this update.
        """
        if place_of(update) <= self.at:  # a node stored it before this one read it in the log
            return
        self.at = place_of(update)
        self._changed = True
        moment = self._moment(time_of(update), update.value)
        if moment.time >= self._held.time:
            self._held = moment
        if moment.time >= self._newest.time:
            self._begin(moment)
            return
        if len(raw) <= MANY and self.covers(moment.time):
            self._late.append(moment.time)
            self._raw = raw
        else:
            self.rough = max(self.rough or 0.0, moment.time)
            if moment.number is not None:
                self.slots.touch(moment.time, moment.number)
        # All nodes know when it was appended, unless positions stand still after a step back.
        if self._cut is None or self.at[0] > self._cut.at[0]:
            self.resume(self.at[0] / 1000, update.value)

    def silence(self, time: float) -> None:
        """Note that the value is unknown since a time, unless it already is."""
        if self._newest.words[-1] is None:
            self._changed = True
            self._begin(silence(max(time, self._newest.time, self._until)))

    def resume(self, time: float, value: bytes | None) -> None:
        """Note that the value, if it was unknown, is known again since a time.

        :param value: the newest value by ``seq``; if it is also the newest by time, its level is
            computed anew.
        """
        if self._newest.words[-1] is not None:
            self._changed = True
            time = max(time, self._newest.time)
            judged = self._moment(time, value)
            self._begin(judged if judged.says_as(self._held) else self._held._replace(time=time))

    def judge_level(self, now: float, value: bytes) -> None:
        """Begin another level if the limits have changed, and the value is the newest by time."""
        judged = self._moment(max(now, self._newest.time), value)
        _, level, silent = self._newest.words
        if not silent and judged.says_as(self._newest) and judged.words[1] != level:
            self._changed = True
            self._held = judged
            self._begin(judged)

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
        """Note an old silence, so that :meth:`replayed` knows it; ``end`` is None if it lasts."""
        self.segments[-1].hear(begin, SILENT)
        if end is not None:
            self.segments[-1].hear(end, None)

    def drop(self, update: Update) -> None:
        """Note that raw history has dropped an update."""
        self._changed = True
        if self._late and time_of(update) >= self._begin_of_slot(min(self._late)):
            self._raw = [update, *self._raw]
            self.settle()
        dropped = self._moment(time_of(update), update.value)
        if self._cut is not None and place_of(update) <= self._cut.at:
            dropped = min(dropped, self._cut.held, key=attrgetter("time"))
        if self._dropped is None or dropped.time >= self._dropped.time:
            self._dropped = dropped

    def bound(self, now: float) -> None:
        """Drop the future: the clock was set back, and otherwise every update would be late.

        The value that is newest by time holds from now on, and no update from before the step is read
        again.
        """
        self._until = min(self._until, now)
        if self._newest.time <= now + AHEAD:
            return
        self.settle()
        self._changed = True
        self._newest = self._newest._replace(time=now)
        self._held = self._held._replace(time=min(self._held.time, now))
        self.slots.cut(now)
        for segments in self.segments:
            segments.cut(now)
        if self._dropped is not None:
            self._dropped = self._dropped._replace(time=min(self._dropped.time, now))
        self._cut = Cut(self.at, self._held._replace(time=now))

    def _set_newest(self, moment: Moment) -> None:
        self._newest = moment
        self.slots.began, self.slots.number = moment.time, moment.number

    def _begin(self, moment: Moment) -> None:
        same, self._newest = moment.words == self._newest.words, moment
        self.slots.hear(moment.time, moment.number)
        if not same:
            for segments, word in zip(self.segments, moment.words, strict=True):
                segments.hear(moment.time, word)

    def _moment(self, time: float, value: bytes | None) -> Moment:
        number, word = number_and_word(value)
        level = None if value is None else self._level(value)
        return Moment(time, number, (word, level, None))

    # -- updates that come late --------------------------------------------------------------------

    def covers(self, time: float) -> bool:
        """Return whether raw history has all updates since the slot of a time began."""
        begin = self._begin_of_slot(time)
        return all(held.time < begin for held in self._before_raw())

    def _before_raw(self) -> list[Moment]:
        """Return the moment that held before the updates that can be read again."""
        cut = None if self._cut is None else self._cut.held
        return [held for held in (self._dropped, cut) if held is not None]

    def since_cut(self, raw: Iterable[Update]) -> list[Update]:
        """Return the updates of raw history since the last step back of the clock."""
        raw = [*raw]
        return raw if self._cut is None else raw[bisect_right(raw, self._cut.at, key=place_of) :]

    def _begin_of_slot(self, time: float) -> int:
        return self.slots.index(time) * self.slots.width

    def settle(self) -> None:
        """Count the updates that came late, all at once; to be called before anything is read.

        A late update changes nothing after the slot of the update that follows it in time.
        """
        if not self._late:
            return
        late, raw, self._late, self._raw = self._late, self.since_cut(self._raw), [], ()
        # The raw history may already have an update that hear() does not know yet.
        heard = sorted(raw[: bisect_right(raw, self.at, key=place_of)], key=time_of)
        times = [time_of(update) for update in heard]
        for begin, end in stretches(sorted(late), times, self.slots.width):
            if end > self._newest.time:
                end = math.inf
            first, last = bisect_left(times, begin), bisect_left(times, end)
            self._replay(begin, end, heard[max(0, first - 1) : last])

    def _replay(self, begin: float, end: float, raw: Sequence[Update]) -> None:
        """Compute the slots and the segments of a stretch of whole slots again.

        :param end: infinite if the newest slot is among them.
        :param raw: the updates of that time, and the last one before it.
        """
        silences = within(self.segments[-1].changes, begin, end)
        other = finish(self.replayed(raw, self.seconds, begin, silences))
        for segments, others in zip(self.segments, other.segments, strict=True):
            segments.replace(begin, others, end)
        if end < math.inf:
            other.slots.hear(end, None)
            self.slots.copy(other.slots, begin, end - self.slots.width)
        else:
            self.slots.copy(other.slots, begin, self._newest.time)
            self._set_newest(other._newest)

    def replayed(
        self,
        raw: Iterable[Update],
        seconds: float,
        begin: float,
        silences: Iterable[Change] | None = None,
    ) -> Generator[None, None, LongHistory]:
        """Return a new long history that is made of raw history and silences only.

        The generator yields about every millisecond.

        :param raw: the updates that :meth:`since_cut` returns.
        :param seconds: the time that the new history covers.
        :param begin: the history begins at this time, in seconds since the epoch, with the value that
            held then.
        :param silences: the silences to note; None for all that this history has.
        """
        values = self._before_raw()
        before: list[Update] = []
        for some in steps_of(raw):
            before += [u for u in some if time_of(u) < begin]
            before = [max(reversed(before), key=time_of)] if before else []
            values += [self._moment(time_of(u), u.value) for u in some if time_of(u) >= begin]
            yield
        values += [self._moment(time_of(u), u.value) for u in before]
        values.sort(key=attrgetter("time"))
        other = LongHistory(seconds, self._level)
        if silences is None:
            silences = self.segments[-1].changes
        for some_moments in steps_of(since(begin, with_silences(values, silences)), SHORT_STEP):
            for moment in some_moments:
                other._begin(moment)
            yield
        return other

    @property
    def unread(self) -> int:
        """How many updates of raw history :meth:`settle` has to read."""
        return len(self._raw) if self._late else 0

    # -- store -------------------------------------------------------------------------------------

    @property
    def raw_since(self) -> float | None:
        """The time since which raw history has all updates; None if it has dropped none."""
        return None if self._dropped is None else self._dropped.time

    @property
    def stored(self) -> set[int]:
        """The numbers of the blocks that may be in the journal."""
        return self.slots.changed.union(self.slots.blocks, *self._left)

    def changes(self) -> dict[int, bytes | None]:
        """Return the blocks that changed since the last call; None for a block to delete."""
        if not self._changed:
            return {}
        self.settle()
        self.slots.flush()
        self._changed = False
        changed = self.slots.changed.union(*self._left)
        self.slots.changed.clear()
        self._left.clear()
        return {HEAD: self._head(), **{number: self.slots.dump(number) for number in changed}}

    def mark(self, blocks: Iterable[int]) -> None:
        """Count blocks as changed again: they could not be stored."""
        self.slots.changed.update(number for number in blocks if number != HEAD)
        self._changed = True

    def leave_changes(self) -> None:
        """Let another node store the changes from before the last :data:`LEFT` calls."""
        self.slots.flush()
        self._left.append(self.slots.changed)
        self.slots.changed = set()

    def _head(self) -> bytes:
        words, levels, silences = (segments.changes for segments in self.segments)
        return msgspec.json.encode(
            Head(
                self.slots.width,
                self.at,
                self.rough,
                self._newest,
                self._held,
                self._dropped,
                (words, levels, silences),
                self._cut,
            )
        )

    def load(self, blocks: Mapping[int, bytes], until: float) -> None:
        """Continue a stored history.

        :param until: the time until which it was followed; its newest value held until then.
        :raises ValueError: the blocks are not those of a history, or their slots are of another width.
        """
        head = load_blocks(blocks, self.slots, Head)
        self.at = head.at
        self._until, self.rough, self._dropped = until, head.rough, head.dropped
        self._held, self._cut = head.held, head.cut
        words, levels, silences = head.segments
        self.segments = Segments(words), Segments(levels), Segments(silences)
        self._set_newest(head.newest)
