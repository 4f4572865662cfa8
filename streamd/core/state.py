"""The state: every stream with its newest value, its history and its health.

The state follows the journal: it applies the committed updates in order, and nothing else changes a
value.  :mod:`streamd.core.catchup` reads the state for viewers.  The state reads no clock: its callers
pass the time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from streamd.core.description import Description
from streamd.core.health.readings import Sources
from streamd.core.histories.blocks import StoredBlocks
from streamd.core.histories.gaps import Gaps
from streamd.core.histories.saving import Saving
from streamd.core.stream import UNREADABLE, UNSETTLED
from streamd.core.streams import Expected, Streams
from streamd.core.timeline import Timeline
from streamd.core.update import LIFE_UNIT, ORIGIN, Position, Update, place_of
from streamd.core.values import to_python

NOTE_EVERY = 250
"""Milliseconds between two notes in the timeline while a log is read.  To note every update would take
a third of the time that it takes to read the log."""

_VALUE = attrgetter("value")


class State(Streams):
    """All streams, as the log describes them.

    The class is long because all changes of a stream have to go through it in the order of the log.

    Times are in seconds: ``now`` since the epoch, ``elapsed`` on a monotonic clock.

    :ivar head: the position of the newest update.
    :ivar applied: how many values were applied since the daemon started.
    :ivar began: the head when this state began to follow the log.
    :ivar journal: the fields of the ``journal`` message; None until the journal was away once.
    :ivar journal_noted: the revision at which ``journal`` changed last.
    :ivar private: whether some may not read everything.  Then no reason names a server or another
        stream, because all viewers get the same reasons.
    :ivar configuration: the fields of the ``configuration`` message; None until they are known.
    :ivar configuration_noted: the revision at which ``configuration`` changed last.
    :ivar life: the life of the log; a cursor from another life cannot resume.
    :ivar shared: whether other nodes follow the same log, and may have read more of it.
    :ivar gaps: the times in which no node followed the log.
    :ivar saving: the long histories, as a journal stores them.
    :ivar sources: the health of the sources.
    """

    def __init__(
        self,
        now: float,
        descriptions: Mapping[str, Description] | None = None,
        *,
        max_streams: int = 10_000,
        max_state: int = 256 * 2**20,
        expected: Expected = (),
    ) -> None:
        """:param descriptions: by name; the configured streams exist before their first update.

        :param max_streams: how many streams there may be.
        :param max_state: bytes of memory for all history.
        :param expected: see :class:`~streamd.core.streams.Streams`.
        """
        super().__init__(descriptions or {}, max_streams, max_state)
        self.expected = expected
        self.life = 0
        self.shared = False
        self.journal: Mapping[str, Any] | None = None
        self.journal_noted = 0
        self.private = False
        self.configuration: Mapping[str, Any] | None = None
        self.configuration_noted = 0
        self.sources = Sources(self)
        self.saving = Saving(self)
        self.applied = 0
        self.gaps = Gaps(self)
        self._begin(now)

    def _begin(self, now: float) -> None:
        """Forget everything except the configured streams."""
        self.head = self.began = ORIGIN
        self.clear()
        self._timeline = Timeline()
        for name in self.configured:
            self.add(name, self.description_of(name), now)

    # -- the log -----------------------------------------------------------------------------------

    def restore(
        self,
        life: int,
        held: Iterable[Update],
        horizon: Position,
        blocks: StoredBlocks,
        now: float,
        elapsed: float,
    ) -> Collection[str]:
        """Replace the whole state with the content of a log; all viewers must begin anew, too.

        The streams count as late until their values are confirmed.  The arguments are as for
        ``restore`` of the journal's ``Follower``.

        :returns: the streams with an unreadable value, which is dropped with all updates before it, or
            with an unreadable long history.
        """
        self._begin(now)
        self.life = life
        self.head = self.kept.horizon = horizon
        unreadable = self.saving.load(blocks, now)
        due = 0
        self.gaps.begin(self.saving.gaps)
        for update in held:
            self.gaps.pass_to(update)
            if update.at.ms >= due:
                due = update.at.ms + NOTE_EVERY
                self._note_head(now, elapsed)
            if update.at > self.head:
                self.head = update.at
            if not self._restore(update, now):
                unreadable.add(update.stream)
        self.began = self.head
        self._note_head(now, elapsed)
        self.gaps.pass_all(self.shared)
        for stream in self:
            stream.unsettled = now + UNSETTLED if self.shared else 0.0
            if stream.newest is not None:
                stream.proof, stream.doubt = min(stream.newest.at.ms / 1000, now), ""
                stream.judge_level()
            self.judge_stream(stream, now)
            stream.judge_limits(now)
        self._expire(elapsed)
        self.razed(self.kept.shed())
        self.sources.restart(now)
        return unreadable

    def _note_head(self, now: float, elapsed: float) -> None:
        """Note when the head was appended: at the time in its position, but not later than now."""
        self._timeline.note(elapsed - max(0.0, now - self.head.ms / 1000), self.head)

    def _restore(self, update: Update, now: float) -> bool:
        """Apply an update of the log; return whether its value can be read."""
        kept = self.kept
        stream = self.streams.get(update.stream)
        if stream is None or stream.gone:
            stream = self.add(update.stream, self.description_of(update.stream), now)
        if update.value is None:
            self.bury(stream, update, now)
        elif not _is_readable(update.value):
            kept.empty(stream)
            kept.lose(stream, update.at)
            stream.unreadable = UNREADABLE
            return False
        elif stream.history or stream.lost != ORIGIN or update.seq == 1:
            kept.follow(stream, update)
            kept.settle((update,))
            stream.unreadable = None
        else:  # only a mark
            kept.lose(stream, update.at)
        long = stream.long
        if long is not None and update.value is not None and place_of(update) > long.at:
            long.hear(update, stream.history)
        return True

    def decide(self, parted: bool) -> None:
        """Note whether, before this node began to follow the log, no node followed it for a while.

        Until then new updates are not added to the long histories; see
        :class:`~streamd.core.histories.gaps.Gaps`.
        """
        self.gaps.decide((self.began.ms, self.began.n % LIFE_UNIT) if parted else None)

    def losses(self) -> tuple[Mapping[str, Position], Position]:
        """Return the arguments of ``Journal.trim`` for the updates dropped since the last call."""
        return self.kept.losses()

    def apply(self, updates: Sequence[Update], now: float) -> None:
        """Apply updates in the order in which they were committed."""
        if None in map(_VALUE, updates):
            for update in updates:
                if update.value is None:
                    self._forget(update, now)
                else:
                    self._apply((update,), now)
        elif updates:
            self._apply(updates, now)
        self.razed(self.kept.shed())

    def _apply(self, updates: Sequence[Update], now: float) -> None:
        """Apply updates with values."""
        follow, hear, streams = self.kept.follow, self.hear, self.streams
        self.applied += len(updates)
        self.head = updates[-1].at
        for update in updates:
            stream = streams.get(update.stream)
            if stream is None or stream.gone:
                stream = self.add(update.stream, self.description_of(update.stream), now)
                self.sources.came_or_went(update.stream, now)
            follow(stream, update)
            if stream.long is not None:
                self.gaps.hear(stream, update)
            hear(stream, now)
        self.kept.settle(updates)

    def _forget(self, update: Update, now: float) -> None:
        """Apply an update without a value."""
        self.head = update.at
        stream = self.find(update.stream)
        if stream is not None:
            self.bury(stream, update, now)
            self.gaps.forget(update.stream)
            self.sources.came_or_went(update.stream, now)

    def skip(self, names: Iterable[str], why: str, now: float) -> None:
        """Mark streams as failed until their next value: an entry in the log cannot be read.

        :param why: the reason, a sentence that walls show.
        """
        for name in names:
            stream = self.find(name) or self.add(name, self.description_of(name), now)
            stream.unreadable = why
            self.judge_stream(stream, now)

    def confirm_since(self, at: Position, now: float) -> None:
        """Confirm each restored stream that no source makes, if its newest update is later than ``at``.

        At least one node has followed the log without a pause since that position.  That proves nothing
        about a stream that a source makes.
        """
        for stream in self:
            newest = stream.newest
            if stream.doubt == "" and newest and newest.at > at and not stream.made:
                stream.vouch()
                self.judge_stream(stream, now)

    def pause(self, paused: bool, now: float) -> None:
        """Begin or end to doubt the values of all sources: this process did not run for a while.

        Readings do not end the doubt.  The first ones were made before the pause, or are a backlog.
        """
        for stream in self:
            if stream.paused != (paused and stream.made):
                stream.paused = not stream.paused
                self.judge_stream(stream, now)

    def set_journal(self, state: str, now: float, error: str | None = None) -> None:
        """Set the state of the journal for viewers: ``ok``, or ``away`` and the reason."""
        told = self.journal or {"state": "ok", "error": None}
        if (told["state"], told["error"]) != (state, error):
            self.journal = {"state": state, "since": now, "error": error}
            self.revision += 1
            self.journal_noted = self.revision

    @property
    def journal_told(self) -> Mapping[str, Any] | None:
        """The fields of the ``journal`` message, as all viewers may read them."""
        if not self.private or self.journal is None or self.journal["error"] is None:
            return self.journal
        return {**self.journal, "error": "the log of the daemon says why"}

    # -- time --------------------------------------------------------------------------------------

    def judge(self, now: float, elapsed: float) -> None:
        """Mark the streams that have become late, and drop history older than streams keep it."""
        self._timeline.note(elapsed, self.head)
        self.kept.weigh()
        for stream in self:
            stream.bound(now)
            if stream.unsettled:
                stream.settle(now)
            if stream.expire_report(now) or stream.description.expect is not None:
                self.judge_stream(stream, now)
        self._expire(elapsed)

    def _expire(self, elapsed: float) -> None:
        """Drop the updates that are older than the time for which their streams keep history."""
        for stream in self:
            seconds = stream.description.keep.seconds
            if seconds is not None:
                self.kept.expire(stream, self._timeline.before(elapsed - seconds))

    def forgettable(self, age: float, now: float, elapsed: float) -> list[str]:
        """Return the streams that are not configured and were not confirmed for ``age`` seconds.

        While a source fails, nobody knows which of its streams still exist.  A source that continues
        where it was, such as Kafka, would not publish the value of a forgotten stream again.
        """
        before = self._timeline.before(elapsed - age)
        return [
            s.name
            for s in self
            if not s.configured
            and not (s.source is not None and s.source.fails)
            and s.newest is not None
            and s.newest.at <= before
            and (s.proof is None or now - s.proof > age)
        ]


def _is_readable(value: bytes) -> bool:
    try:
        to_python(value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True
