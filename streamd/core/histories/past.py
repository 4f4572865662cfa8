"""The past of a stream: slots and segments from a server, before its long history began.

A backfill fills it, oldest first.  It stays apart from the long history, so neither can change the
other.  Readers put it before the long history: up to ``until`` the past counts, and from then on the
long history.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from streamd.core.histories.blocks import HEAD, BlockHead, load_blocks
from streamd.core.histories.segments import Change, Segments
from streamd.core.histories.slots import Slots
from streamd.core.values import number_and_word


class PastHead(BlockHead, frozen=True, array_like=True):
    """The head of a past.

    :ivar began: when the newest number, ``number``, began; seconds since the epoch.
    :ivar segments: two: those of words, and those of levels.
    :ivar length: as in :class:`Past`.
    """

    until: float
    reached: float
    began: float
    number: float | None
    segments: tuple[list[Change], list[Change]]
    length: float


class Past:
    """Slots and segments of the time before a long history.

    :ivar seconds: the time that the history of the stream covers.
    :ivar length: the time that it covered when the filling began, in seconds.  If it covers more now,
        the past lacks its beginning.
    :ivar until: when the long history begins, in seconds since the epoch.
    :ivar reached: the past is filled up to this time.
    :ivar slots: the slots of its numbers.
    :ivar trouble: why it cannot be filled now; None while it can.
    :ivar ended: whether no reader needs the past any more: the stream was forgotten, or keeps no
        history so old.
    """

    def __init__(
        self,
        seconds: float,
        until: float,
        level: Callable[[bytes], str | None],
        stored: Iterable[int] = (),
    ) -> None:
        """:param seconds: the time that the history of the stream covers.

        :param level: returns the level of a value; None if the stream has no limits.
        :param stored: blocks of a former past that a journal may have; they are to be deleted.
        """
        self.seconds = self.length = float(seconds)
        self._level = level
        self.until = until
        self.reached = 0.0
        self.ended = False
        self.trouble: str | None = None
        self.slots = Slots(seconds)
        self.slots.changed.update(stored)
        self._segments = Segments(), Segments()
        self._forgotten = False  # whether a journal still has the head of an ended past

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return self.slots.size + sum(segments.size for segments in self._segments)

    @property
    def complete(self) -> bool:
        """Return whether the whole past is filled."""
        return self.reached >= self.until

    # -- fill --------------------------------------------------------------------------------------

    def hear(self, time: float, value: bytes) -> None:
        """Add a value; it holds until the next one.

        After null, the value is unknown until the next one.  A value before the newest one changes
        only the lowest and highest number of its slot.  A value of the long history's time is left
        out.

        :param time: seconds since the epoch.
        :param value: JSON text.
        """
        if self.ended or time >= self.until:
            return
        number, word = number_and_word(value)
        level = None if value == b"null" else self._level(value)
        if time >= self.slots.began:
            self.slots.hear(time, number)
            for segments, each in zip(self._segments, (word, level), strict=True):
                segments.hear(time, each)
        elif number is not None:
            self.slots.touch(time, number)

    def reach(self, time: float) -> None:
        """Note that the past is filled up to a time."""
        self.reached = min(time, self.until)

    # -- end ---------------------------------------------------------------------------------------

    def expire(self, now: float) -> None:
        """Drop everything older than the time that the history covers."""
        oldest = now - self.seconds
        if self.ended:
            return
        if self.until < oldest:
            self.end()
        elif self.slots.blocks and self.slots.blocks[0] < self.slots.block_of(oldest):
            for block in [n for n in self.slots.blocks if n < self.slots.block_of(oldest)]:
                self.slots.drop(block)

    def end(self) -> None:
        """Drop everything."""
        for block in self.slots.blocks:
            self.slots.drop(block)
        for segments in self._segments:
            segments.changes.clear()
        self.until = self.reached = 0.0
        self.ended = self._forgotten = True

    def shorten(self) -> bool:
        """Drop the oldest block, or the older half of the segments; return True if more is left."""
        if self.slots.blocks:
            self.slots.drop(self.slots.blocks[0])
        else:
            for segments in self._segments:
                del segments.changes[: (len(segments.changes) + 1) // 2]
        return self.size > 0

    # -- read --------------------------------------------------------------------------------------

    def before(self, slots: Slots) -> Slots:
        """Return a copy of the long history's slots, with the past's slots before them."""
        mine, joined = self.slots.frozen(), slots.frozen()
        mine.hear(max(self.reached, mine.began), None)
        joined.precede(mine, self.until)
        return joined

    def before_segments(
        self, segments: tuple[Segments, Segments, Segments]
    ) -> tuple[Segments, Segments, Segments]:
        """Return the long history's segments, with the past's segments before them."""
        words, levels, silences = segments
        mine_of_words, mine_of_levels = self._segments
        return (
            self._joined(mine_of_words, words),
            self._joined(mine_of_levels, levels),
            silences,
        )

    def _joined(self, mine: Segments, later: Segments) -> Segments:
        joined = Segments([*mine.changes])
        joined.hear(max(self.reached, self.slots.began), None)
        joined.replace(self.until, later)
        return joined

    # -- store -------------------------------------------------------------------------------------

    @property
    def stored(self) -> set[int]:
        """The numbers of the blocks that a journal may have."""
        return {*self.slots.blocks, *self.slots.changed}

    def changes(self) -> dict[int, bytes | None]:
        """Return the blocks that changed since the last call; None for a block to delete."""
        words, levels = (segments.changes for segments in self._segments)
        slots = self.slots
        head = PastHead(
            width=slots.width,
            until=self.until,
            reached=self.reached,
            began=slots.began,
            number=slots.number,
            segments=(words, levels),
            length=self.length,
        )
        blocks: dict[int, bytes | None] = {HEAD: None if self.ended else msgspec.json.encode(head)}
        blocks |= {number: slots.dump(number) for number in slots.changed}
        slots.changed.clear()
        self._forgotten = False
        return blocks

    def dropped(self) -> dict[int, bytes | None]:
        """Return the blocks that were dropped since the last call of this or of :meth:`changes`."""
        gone = self.slots.changed.difference(self.slots.blocks)
        self.slots.changed -= gone
        if self._forgotten:
            gone.add(HEAD)
            self._forgotten = False
        return dict.fromkeys(gone)

    def mark(self, blocks: Collection[int]) -> None:
        """Count dropped blocks as not deleted: the journal could not delete them."""
        self.slots.changed.update(number for number in blocks if number != HEAD)
        self._forgotten = self.ended and (self._forgotten or HEAD in blocks)

    def load(self, blocks: Mapping[int, bytes]) -> None:
        """Continue a stored past.

        :raises ValueError: the blocks are not those of a past, or their slots are of another width.
        """
        head = load_blocks(blocks, self.slots, PastHead)
        self.slots.changed.clear()  # a journal has exactly these blocks
        self.until, self.reached, self.length = head.until, head.reached, head.length
        self.slots.began, self.slots.number = head.began, head.number
        words, levels = head.segments
        self._segments = Segments(words), Segments(levels)
