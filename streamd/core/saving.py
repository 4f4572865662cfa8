"""Saving: which blocks of long histories a journal has to store, and loading them again."""

from __future__ import annotations

from streamd.core.long_history import HEAD, Blocks, StoredBlocks
from streamd.core.slots import BLOCK_BYTES
from streamd.core.stream import Stream
from streamd.core.streams import Streams
from streamd.core.update import MAX_TIME

FOLLOWED = ""
"""The name under which a journal stores the time until which all long histories were followed."""

AT_ONCE = 8 * 2**20
"""Bytes of blocks after which no more are stored in one step: other requests wait that long."""


class Saving:
    """The long histories of all streams, as a journal stores them."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._obsolete: dict[str, dict[int, bytes | None]] = {}
        self._round: list[Stream] = []  # streams to look at before the next round begins
        self._began = 0.0  # when this round began

    def load(self, blocks: StoredBlocks, now: float) -> set[str]:
        """Load the long histories; return the names of those that cannot be read."""
        unreadable = set()
        self._obsolete = {}
        self._round.clear()
        until = min(_read_time(blocks.get(FOLLOWED, {}).get(HEAD, b"")), now)
        for name, stored in blocks.items():
            if name == FOLLOWED:
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

    def take(self, now: float) -> Blocks:
        """Return the blocks that changed since the last call, some 8 MB at most.

        Several calls make a round of all streams, so each stream has its turn.  The last call of a
        round returns also :data:`FOLLOWED`; if no stream has a long history, none does.

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
            if stream.long is not None and (changes := stream.long.changes()):
                blocks[stream.name] = changes
                size += BLOCK_BYTES * len(changes)
        blocks[FOLLOWED] = {HEAD: b"%f" % self._began}
        return blocks

    def give_back(self, blocks: Blocks) -> None:
        """Note that blocks were not stored: they are to be stored again, in a new round."""
        self._round.clear()
        for name, parts in blocks.items():
            stream = self._streams.streams.get(name)
            if stream is not None and stream.long is not None:
                stream.long.mark(parts)
            elif name != FOLLOWED:
                self._obsolete[name] = dict.fromkeys(parts)

    def leave(self) -> None:
        """Note that another node stores the long histories: only the newest blocks are kept as changed.

        If that node ends, this one stores what the other could not.
        """
        for stream in self._streams:
            if stream.long is not None:
                stream.long.forget_changes()


def _read_time(data: bytes) -> float:
    """Return a stored time; 0 if it cannot be read."""
    try:
        return min(max(float(data), 0.0), MAX_TIME)
    except ValueError:
        return 0.0
