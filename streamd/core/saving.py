"""Saving: which blocks of long histories a journal has to store, and loading them again."""

from __future__ import annotations

from streamd.core.long_history import HEAD, Blocks, StoredBlocks
from streamd.core.slots import BLOCK_BYTES
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

    def load(self, blocks: StoredBlocks) -> set[str]:
        """Load the long histories; return the names of those that cannot be read."""
        unreadable = set()
        self._obsolete = {}
        until = _read_time(blocks.get(FOLLOWED, {}).get(HEAD, b""))
        for name, stored in blocks.items():
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

        :param now: up to when the histories were followed, in seconds since the epoch.
        """
        blocks, self._obsolete = self._obsolete, {}
        size = 0
        has_any = False
        for stream in self._streams:
            if stream.long is None:
                continue
            if size > AT_ONCE:
                return blocks
            has_any = True
            if changes := stream.long.changes():
                blocks[stream.name] = changes
                size += BLOCK_BYTES * len(changes)
        if has_any:
            blocks[FOLLOWED] = {HEAD: b"%f" % now}
        return blocks

    def give_back(self, blocks: Blocks) -> None:
        """Note that blocks were not stored: they are to be stored again."""
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
