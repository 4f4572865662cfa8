"""Saving: which blocks of long histories a journal has to store, and loading them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamd.core.histories.blocks import HEAD, Blocks, StoredBlocks
from streamd.core.histories.long_history import MANY, LongHistory
from streamd.core.histories.past import Past
from streamd.core.histories.slots import BLOCK_BYTES, width_for
from streamd.core.names import is_below
from streamd.core.stream import Stream
from streamd.core.streams import Streams
from streamd.core.update import LIFE_UNIT, MAX_TIME, Place, Position, parse_position

FOLLOWED = ""
"""The name under which a journal stores the time until which all long histories were followed."""

GAPS = 0
"""The number of the block of :data:`FOLLOWED` with the newest gaps, in which no node followed the log.
Each is the stored time before it, ``/``, and the end of the log when a node followed it again."""

MOST_GAPS = 20
"""The most gaps that are kept.  Only those after the stored time count: histories have the others."""

PAST, BACKFILL = " past", " backfill"
"""The ends of the names under which a journal stores the past of a stream, and how far the backfill of
a source is.  No stream has such a name, because names have no spaces."""

AT_ONCE = 8 * 2**20
"""Bytes of blocks after which no more are stored in one step: other requests wait that long."""

READ_BYTES = AT_ONCE // MANY
"""Bytes for which an update counts that is read again for a late one: such a step is short, too."""


class Saving:
    """The long histories and the pasts of all streams, as a journal stores them.

    :ivar until: the time up to which a node followed the loaded histories, in seconds since the
        epoch.
    :ivar gaps: the gaps that the loaded histories lack: the place of the last update before each.
    :ivar backfills: source -> the progress of its backfill, as the source wrote it.
    :ivar rollups: how many rollups have changed since the start.
    """

    def __init__(self, streams: Streams) -> None:
        self.until = 0.0
        self.gaps: list[Place] = []
        self._known_gaps = b""
        self._streams = streams
        self.backfills: dict[str, bytes] = {}
        self.rollups = 0
        self._obsolete: dict[str, dict[int, bytes | None]] = {}
        # Blocks of pasts that wait to be filled again.  They are deleted in the step that stores the
        # new past.  Before that, another node may have stored it, because its configuration changed
        # earlier.
        self._replaced: dict[str, dict[int, bytes | None]] = {}
        self._round: list[Stream] = []  # streams to look at before the next round begins
        self._began = 0.0  # when this round began

    def load(self, blocks: StoredBlocks, now: float) -> set[str]:
        """Load the long histories; return the names of those that cannot be read."""
        unreadable = set()
        self._obsolete, self._replaced = {}, {}
        self.backfills = {
            name.removesuffix(BACKFILL): stored[HEAD]
            for name, stored in blocks.items()
            if name.endswith(BACKFILL) and HEAD in stored
        }
        self._round.clear()
        followed = blocks.get(FOLLOWED, {})
        self.until = until = min(_read_time(followed.get(HEAD, b"")), now)
        self._known_gaps = followed.get(GAPS, b"")
        self.gaps = sorted(_read_gaps(followed, self._known_gaps.split()))
        for name, stored in blocks.items():
            if name == FOLLOWED or name.endswith(BACKFILL):
                continue
            if name.endswith(PAST):
                if not self.load_past(name.removesuffix(PAST), stored):
                    self._drop_past(name.removesuffix(PAST), stored)
                continue
            stream = self._streams.streams.get(name)
            if stream is None or stream.long is None:
                self._obsolete[name] = dict.fromkeys(stored)
                continue
            try:
                stream.long.load(stored, until)
            except ValueError:
                unreadable.add(name)
                stream.begin_long(number for number in stored if number != HEAD)
        return unreadable

    def load_past(self, name: str, stored: Mapping[int, bytes]) -> bool:
        """Replace the past of a stream by a stored one; return whether that was possible."""
        stream = self._streams.find(name)
        past = None if stream is None else stream.make_past(0.0)
        if stream is None or past is None:
            return False
        try:
            past.load(stored)
        except ValueError:
            return False
        stream.past = past
        return True

    def change_rollup(self, stream: Stream) -> None:
        """Give the long history of a stream the length in its present description.

        The slots stay if their width stays.  Otherwise the long history begins anew with raw history,
        as after a restart, and a backfill fills the past of the stream again.
        """
        self.rollups += 1
        seconds, long, past = stream.description.rollup, stream.long, stream.past
        if seconds is not None and long is not None and long.slots.width == width_for(seconds):
            histories: list[LongHistory | Past] = [long] if past is None else [long, past]
            for history in histories:
                history.seconds = seconds
                history.slots.cover(seconds)
            return
        stored = {*self._obsolete.pop(stream.name, ()), *(long.stored if long is not None else ())}
        stream.begin_long(stored - {HEAD})
        former = self._replaced.pop(f"{stream.name}{PAST}", {})
        if past is not None or former:
            self._drop_past(stream.name, {*former, HEAD, *(() if past is None else past.stored)})
            stream.past = None
        if stream.long is None:
            self._obsolete[stream.name] = dict.fromkeys([HEAD, *stored])
            return
        for update in stream.history:
            stream.long.hear(update, stream.history)

    def _drop_past(self, name: str, numbers: Iterable[int]) -> None:
        """Note that these stored blocks of a past are of no use any more."""
        stream = self._streams.find(name)
        is_needed = stream is not None and stream.long is not None
        blocks = self._replaced if is_needed else self._obsolete
        blocks[f"{name}{PAST}"] = dict.fromkeys(numbers)

    def filled(self, source: str, place: bytes, pasts: Mapping[str, Past]) -> Blocks:
        """Return the blocks to store in one step after a backfill has filled pasts.

        :param place: the new progress of the backfill, as the source writes it.
        :param pasts: by the names of their streams.
        """
        blocks: dict[str, Mapping[int, bytes | None]] = {f"{source}{BACKFILL}": {HEAD: place}}
        for stream, past in pasts.items():
            name = f"{stream}{PAST}"
            former = self._obsolete.pop(name, {}) | self._replaced.pop(name, {})
            blocks[name] = {**former, **past.changes()}
        return blocks

    def unfilled(self, blocks: Blocks) -> None:
        """Note that the result of :meth:`filled` was not stored: the next call returns it again."""
        for name, parts in blocks.items():
            stream = self._streams.find(name.removesuffix(PAST))
            if stream is not None and stream.past is not None:
                stream.past.mark(parts)

    def backfilled(self, source: str) -> Iterable[str]:
        """Yield the names of the streams that a backfill of a source can fill."""
        for stream in self._streams:
            owner = None if stream.source is None else stream.source.name
            is_its_own = is_below(stream.name, source) and owner in (None, source)
            if is_its_own and stream.long is not None:
                yield stream.name

    def take(self, now: float) -> Blocks:
        """Return the blocks that changed since the last call, at most about 8 MB.

        Several calls make a round of all streams, so each stream has its turn.  The last call of a
        round also returns :data:`FOLLOWED`, unless no stream has a long history.

        :param now: up to when the histories were followed, in seconds since the epoch.
        """
        blocks, self._obsolete = self._obsolete, {}
        if not self._round:
            self._round = [stream for stream in self._streams if stream.long is not None]
            self._began = now
            if not self._round:
                return blocks
        size = 0
        while self._round:
            if size > AT_ONCE:
                return blocks
            stream = self._round.pop()
            if stream.long is None:
                continue
            size += READ_BYTES * stream.long.unread
            if changes := stream.long.changes():
                blocks[stream.name] = changes
                size += BLOCK_BYTES * len(changes)
            if stream.past is not None and (dropped := stream.past.dropped()):
                blocks[f"{stream.name}{PAST}"] = dropped
        blocks[FOLLOWED] = {HEAD: b"%f" % self._began}
        return blocks

    def give_back(self, blocks: Blocks) -> None:
        """Note that blocks were not stored: a new round returns them again."""
        self._round.clear()
        for name, parts in blocks.items():
            stream = self._streams.streams.get(name.removesuffix(PAST))
            if stream is not None and stream.past is not None and name.endswith(PAST):
                stream.past.mark(parts)
            elif stream is not None and stream.long is not None and not name.endswith(PAST):
                stream.long.mark(parts)
            elif name != FOLLOWED:
                self._obsolete[name] = dict.fromkeys(parts)

    @staticmethod
    def parted(followed: Mapping[int, bytes], at: Position) -> Blocks:
        """Return the blocks to store so that all nodes know of a gap.

        :param followed: the content of the journal's :data:`FOLLOWED`.
        :param at: the end of the log when a node began to follow it again.
        """
        gap = followed.get(HEAD, b"") + b"/" + bytes(at)
        gaps = [*followed.get(GAPS, b"").split(), gap][-MOST_GAPS:]
        return {FOLLOWED: {GAPS: b" ".join(gaps)}}

    def new_gaps(self, followed: Mapping[int, bytes]) -> list[Place]:
        """Return the gaps that other nodes have stored since this node loaded the histories.

        :param followed: the content of the journal's :data:`FOLLOWED`.
        """
        known = self._known_gaps.split()
        return [_place_of_gap(gap) for gap in followed.get(GAPS, b"").split() if gap not in known]

    def leave(self) -> None:
        """Note that another node stores the long histories; if it ends, this one stores the rest."""
        for stream in self._streams:
            if stream.long is not None:
                stream.long.leave_changes()
            if stream.past is not None:
                stream.past.dropped()


def _read_gaps(followed: Mapping[int, bytes], gaps: Iterable[bytes]) -> list[Place]:
    """Return the gaps since the time that is stored with them."""
    return [_place_of_gap(gap) for gap in gaps if gap.startswith(followed.get(HEAD, b"") + b"/")]


def _place_of_gap(gap: bytes) -> Place:
    """Return the place of a stored gap; before all updates if it cannot be read."""
    position = parse_position(gap.partition(b"/")[2].decode("ascii", "replace"))
    return (0, 0) if position is None else (position.ms, position.n % LIFE_UNIT)


def _read_time(data: bytes) -> float:
    """Return a stored time; 0 if it cannot be read."""
    try:
        return min(max(float(data), 0.0), MAX_TIME)
    except ValueError:
        return 0.0
