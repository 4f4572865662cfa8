"""Where the log has led: every stream with its newest value, its history and its health.

The state follows the journal: what was committed is applied, in order, and nothing else changes a
value.  :mod:`streamd.core.catchup` reads it for viewers.  It is told the time and never asks.

It is long because all that has to stay in step, histories, their bounds and what is new, is changed
here and nowhere else.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from streamd.core.description import Description
from streamd.core.errors import Refused
from streamd.core.log import Log
from streamd.core.roster import Roster
from streamd.core.selection import Selection
from streamd.core.stream import Report, Stream
from streamd.core.update import ORIGIN, Draft, Position, Update, size_of
from streamd.core.values import to_python

UPDATE_BYTES = 304
"""What one update costs beside its value (CPython): itself and its position, four numbers, a bytes
object, and its places in the log and in its history; those of one batch share two of the numbers."""

UNREADABLE = "its last value cannot be read in the log"
"""What a stream fails with then, until it has another one."""


def cost(update: Update | Draft) -> int:
    """Bytes that an update takes in memory."""
    return UPDATE_BYTES + len(update.value or b"")


class State:
    """All streams.

    :ivar head: the position of the newest update.
    :ivar journal: the fields of a ``journal`` message, once there was something to say of it.
    :ivar life: the life of the log; cursors of others are foreign.
    :ivar revision: counts changes of health and descriptions.
    :ivar shared: whether others follow the same log, and may be further.
    :ivar streams: by name, tombstones included.
    :ivar roster: the names of ``streams``, and which of them a selection matches.
    :ivar log: the updates that history still has.
    :ivar recent: streams with history in the order of their last update.
    :ivar noted: streams in the order in which they were last forgotten, described or judged.
    :ivar lost: the newest update that any history no longer has.
    :ivar horizon: the newest update of a tombstone that is gone itself.
    :ivar razed: the revision at which the stream of that tombstone was forgotten.
    :ivar journal_noted: the revision at which ``journal`` changed last.
    """

    def __init__(
        self,
        now: float,
        descriptions: Mapping[str, Description] | None = None,
        *,
        max_streams: int = 10_000,
        max_state: int = 256 * 2**20,
    ) -> None:
        """:param descriptions: of the configured streams; they exist before their first update.

        :param max_state: bytes for all history.
        """
        self.life = 0
        self.shared = False
        self.revision = 0
        self.journal: Mapping[str, Any] | None = None
        self.journal_noted = 0
        self._max_streams = max_streams
        self._max_state = max_state
        self.roster = Roster()
        self._reset(descriptions or {}, now)

    def _reset(self, descriptions: Mapping[str, Description], now: float) -> None:
        """Know nothing but what is configured."""
        self.head = ORIGIN
        self.log = Log()
        self.streams: dict[str, Stream] = {}
        self.roster.clear()
        # Both in the order of their last change, so that asking what is new costs what is new.
        self.recent: OrderedDict[str, Stream] = OrderedDict()
        self.noted: OrderedDict[str, Stream] = OrderedDict()
        self._tombs: OrderedDict[str, Stream] = OrderedDict()
        self._first: dict[str, Position] = {}  # what has been let go since losses() was asked
        self.horizon = ORIGIN
        self.razed = 0
        self.lost = ORIGIN
        self._bytes = 0
        self._pinned = 0  # bytes of the newest updates of the streams there are, which stay
        for name, description in descriptions.items():
            self._add(name, description, True, now)

    # -- what is -----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.streams) - len(self._tombs)

    def __iter__(self) -> Iterator[Stream]:
        """The streams there are, in the order in which they appeared."""
        return (stream for stream in self.streams.values() if not stream.gone)

    def get(self, name: str) -> Stream | None:
        """The stream of this name, if there is one."""
        stream = self.streams.get(name)
        return None if stream is None or stream.gone else stream

    def value(self, name: str) -> bytes | None:
        """The newest value of a stream as JSON text; None if it has none."""
        stream = self.streams.get(name)
        return stream.history[-1].value if stream is not None and stream.history else None

    @property
    def size(self) -> int:
        """Bytes that history takes."""
        return self._bytes

    def serialize(self, selection: Selection | None = None) -> list[Update]:
        """The newest update of every selected stream that has one, by name."""
        streams = self if selection is None else self.selected(selection)
        newest = (stream.newest for stream in streams)
        return sorted(filter(None, newest), key=attrgetter("stream"))

    def selected(self, selection: Selection) -> Iterator[Stream]:
        """Yield the selected streams; streams may come and go before the last is asked for."""
        names = self.roster.select(self.roster.matches(selection).bits)
        return filter(None, map(self.get, names))

    # -- what happens ------------------------------------------------------------------------------

    def check_room(self, drafts: Sequence[Draft]) -> None:
        """Whether these may be appended.

        :raises Refused: 429 if there would be too many streams, or too much to keep.
        """
        if (
            len(self) + len(drafts) <= self._max_streams
            and self._pinned + UPDATE_BYTES * len(drafts) + size_of(drafts) <= self._max_state
        ):
            return  # whatever they are
        new = {d.stream for d in drafts if d.value is not None and self.get(d.stream) is None}
        old = [s for d in drafts if d.value is None and (s := self.get(d.stream))]
        leaving = sum(not stream.configured for stream in old)
        if new and len(self) + len(new) - leaving > self._max_streams:
            raise Refused(
                429,
                "too-many-streams",
                f"there are {len(self)} streams and may be {self._max_streams} "
                "([server] max_streams in streamd.toml)",
            )
        size = self._pinned
        for draft in {d.stream: d for d in drafts}.values():
            stream = self.get(draft.stream)
            size += cost(draft) - (cost(stream.history[-1]) if stream and stream.history else 0)
        if size > max(self._max_state, self._pinned):  # what makes it smaller is welcome
            raise Refused(
                429,
                "state-full",
                "the newest values alone would exceed [server] max_state in streamd.toml",
            )

    def restore(
        self, life: int, held: Iterable[Update], horizon: Position, now: float
    ) -> Collection[str]:
        """Begin anew with what a log holds: what is known is void, and so are all viewers.

        Nothing of it is current before somebody confirms it.  See the journal's follower.

        :returns: streams with a value that cannot be read: it is let go, with all before it.
        """
        unreadable = set()
        configured = {s.name: s.description for s in self.streams.values() if s.configured}
        self._reset(configured, now)
        self.life = life
        self.head = self.horizon = horizon
        for update in held:
            self.head = max(self.head, update.at)
            stream = self.get(update.stream) or self._add(update.stream, Description(), False, now)
            if update.value is None:
                self._bury(stream, update, now)
            elif not _is_readable(update.value):
                self._clear(stream)
                self.recent.pop(stream.name, None)
                self._lose(stream, update.at)
                unreadable.add(stream.name)
            elif stream.history or stream.lost != ORIGIN or update.seq == 1:
                self._follow(stream, update)
            else:
                self._lose(stream, update.at)
        for stream in self:
            if stream.newest is not None:
                self._expire(stream, now)
                stream.proof, stream.restored = min(stream.newest.at.ms / 1000, now), True
                stream.judge_level()
                self._judge(stream, now)
            elif stream.name in unreadable:
                stream.error, stream.recovering = UNREADABLE, True
                self._judge(stream, now)
        self._shed_if_full()
        return unreadable

    def losses(self) -> tuple[Mapping[str, Position], Position]:
        """What was let go since this was asked last; see the journal's ``trim``."""
        first, self._first = self._first, {}
        return first, self.horizon

    def apply(self, updates: Iterable[Update], now: float) -> None:
        """Follow the log: these were committed, in this order."""
        for update in updates:
            self.head = update.at
            if update.value is not None:
                self._update(update, now)
            elif stream := self.get(update.stream):
                self._bury(stream, update, now)
        self._shed_if_full()

    def describe(self, name: str, description: Description, now: float, configured: bool) -> None:
        """Say what a stream is; it exists from then on."""
        stream = self.get(name)
        if stream is None:
            self._add(name, description, configured, now)
            return
        stream.configured = configured
        if stream.description != description:
            stream.description = description
            stream.judge_level()
            self._judge(stream, now)
            stream.described = self._note(stream)

    def prove(self, names: Collection[str], now: float) -> None:
        """A source ran and found these to be what they were."""
        self.recover(names)
        self.confirm(names, now)

    def recover(self, names: Iterable[str]) -> None:
        """A source has read these, and what it read is on its way through the journal."""
        for name in names:
            if stream := self.get(name):
                stream.recovering = True

    def confirm(self, names: Iterable[str], now: float) -> None:
        """It has arrived: they are proved, unless they failed since."""
        for name in names:
            stream = self.get(name)
            if stream and (stream.recovering or stream.error is None):
                stream.confirm(now)
                self._judge(stream, now)

    def fail(self, names: Iterable[str], error: str, now: float) -> None:
        """A source cannot say what these are.

        No update ends that before :meth:`recover`: one may be on its way that is older.

        :param error: the reason, in words fit for a wall.
        """
        for name in names:
            stream = self.get(name) or self._add(name, Description(), False, now)
            stream.error, stream.recovering = error, False
            self._judge(stream, now)

    def hear(self, name: str, report: Report, now: float, until: float) -> None:
        """How a stream is, as the node says that runs its source; what that says holds until then."""
        if stream := self.get(name):
            stream.hear(report, until)
            self._judge(stream, now)

    def confirm_since(self, at: Position, but: Collection[str], now: float) -> None:
        """What came after this position is from a log that somebody has followed without a pause.

        :param but: streams that are proved otherwise.
        """
        for stream in self:
            newest = stream.newest
            if stream.restored and newest and newest.at > at and stream.name not in but:
                stream.restored = False
                self._judge(stream, now)

    def withdraw(self, name: str, now: float) -> None:
        """Take back that it failed; and the stream, if it has no value and is not configured."""
        stream = self.get(name)
        if stream is None:
            return
        if stream.newest is None and not stream.configured:
            self._bury(stream, None, now)
        else:
            stream.error = None
            self._judge(stream, now)

    def set_journal(self, state: str, now: float, error: str | None = None) -> None:
        """Say how the journal is: ``ok``, or ``away`` and why."""
        told = self.journal or {"state": "ok", "error": None}
        if (told["state"], told["error"]) != (state, error):
            self.journal = {"state": state, "since": now, "error": error}
            self.revision += 1
            self.journal_noted = self.revision

    def judge(self, now: float) -> None:
        """Find out what became late, and let history go that is older than it is kept."""
        for stream in self:
            stream.bound(now)
            if stream.description.expect is not None:
                self._judge(stream, now)
            self._expire(stream, now)

    def forgettable(self, age: float, now: float) -> list[str]:
        """Streams that nobody configured and that nothing confirmed for ``age`` seconds."""
        return [
            s.name
            for s in self
            if not s.configured
            and s.newest is not None
            and now - max(s.proof or 0, s.newest.at.ms / 1000) > age
        ]

    # -- how ---------------------------------------------------------------------------------------

    def _add(self, name: str, description: Description, configured: bool, now: float) -> Stream:
        stream = self.streams.get(name)
        if stream is None:
            stream = self.streams[name] = Stream(name, description, configured, now)
            self.roster.add(name)
        else:  # it was forgotten and comes back
            del self._tombs[name]
            stream.begin(description, configured, now)
            if stream.history:
                self._pinned += cost(stream.history[-1])
        stream.described = stream.judged = self._note(stream)
        return stream

    def _update(self, update: Update, now: float) -> None:
        stream = self.get(update.stream) or self._add(update.stream, Description(), False, now)
        self._follow(stream, update)
        self._expire(stream, now)
        stream.confirm(now)
        stream.judge_level()
        if stream.judge(now):  # as _judge: a call less for each update
            stream.judged = self._note(stream)

    def _follow(self, stream: Stream, update: Update) -> None:
        if stream.history:
            last = stream.history[-1]
            self._pinned -= cost(last)
            if last.value is None:
                self._drop(stream)
        self._append(stream, update)

    def _append(self, stream: Stream, update: Update) -> None:
        size = cost(update)
        self._bytes += size
        self._pinned += size
        stream.history.append(update)
        self.log.append(update)
        self.recent[stream.name] = stream
        self.recent.move_to_end(stream.name)

    def _drop(self, stream: Stream) -> None:
        update = stream.history.popleft()
        self.log.drop(update)
        self._bytes -= cost(update)
        self._lose(stream, update.at)

    def _clear(self, stream: Stream) -> None:
        """Let go of all that it said."""
        if stream.history:
            self._pinned -= cost(stream.history[-1])
        while stream.history:
            self._drop(stream)

    def _lose(self, stream: Stream, at: Position) -> None:
        """History begins after this update from now on."""
        stream.lost = self._first[stream.name] = at
        if at > self.lost:
            self.lost = at

    def _expire(self, stream: Stream, now: float) -> None:
        keep, history = stream.description.keep, stream.history
        if keep.updates is not None:
            while len(history) > keep.updates:
                self._drop(stream)
        elif keep.seconds is not None:
            oldest = (now - keep.seconds) * 1000
            while len(history) > 1 and history[0].at.ms < oldest:
                self._drop(stream)

    def _shed_if_full(self) -> None:
        """Oldest out first, over all streams and tombstones; the newest of each stream stays.

        A sixteenth of the bound goes at once, so that finding the oldest is paid for rarely.
        """
        if self._bytes <= self._max_state:
            return
        enough = self._max_state - self._max_state // 16
        heap = [
            (s.history[0].at, s)
            for s in self.streams.values()
            if len(s.history) > 1 or (s.gone and s.history)
        ]
        heapq.heapify(heap)
        while heap and self._bytes > enough:
            stream = heap[0][1]
            if stream.gone:
                self._raze(stream)
            else:
                self._drop(stream)
            if len(stream.history) > 1:
                heapq.heapreplace(heap, (stream.history[0].at, stream))
            else:
                heapq.heappop(heap)

    def _bury(self, stream: Stream, update: Update | None, now: float) -> None:
        """Forget a stream; ``update`` is the log's word for it, if it has a value."""
        if update is not None:
            self._clear(stream)
            self._lose(stream, update.at)
            self._append(stream, update)
        stream.begin(stream.description, stream.configured, now)
        stream.buried = self._note(stream)
        if stream.configured:  # it goes on, without a value
            stream.described = stream.judged = stream.buried
            return
        stream.gone = True
        if stream.history:
            self._pinned -= cost(stream.history[-1])
        self._tombs[stream.name] = stream
        if len(self._tombs) > self._max_streams:
            self._raze(self._tombs[next(iter(self._tombs))])

    def _raze(self, stream: Stream) -> None:
        """Take a tombstone away; cursors before it are worth nothing then."""
        self.horizon = max(self.horizon, stream.lost)
        self.razed = max(self.razed, stream.buried)
        for update in stream.history:
            self.log.drop(update)
            self._bytes -= cost(update)
            self._first[stream.name] = update.at
        for index in (self.streams, self.recent, self.noted, self._tombs):
            index.pop(stream.name, None)
        self.roster.discard(stream.name)

    def _judge(self, stream: Stream, now: float) -> None:
        if stream.judge(now):
            stream.judged = self._note(stream)

    def _note(self, stream: Stream) -> int:
        self.revision += 1
        self.noted[stream.name] = stream
        self.noted.move_to_end(stream.name)
        return self.revision


def _is_readable(value: bytes) -> bool:
    try:
        to_python(value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True
