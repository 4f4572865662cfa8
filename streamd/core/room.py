"""Room: whether updates may be appended, within ``max_streams`` and ``max_state``.

The journal may take a while.  An append that waits for it counts as if it were applied.  Therefore each
append first reserves room, and releases the reservation when it has succeeded or failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from streamd.core.errors import Refused
from streamd.core.retention import UPDATE_BYTES, Retention, cost
from streamd.core.update import Draft, size_of


class Reservation(msgspec.Struct, eq=False):
    """Room for the drafts of one append.

    :ivar size: bytes that the drafts may add to the newest values.
    :ivar names: streams that the drafts make; None while this is not computed, and each draft counts as
        a new stream.
    """

    drafts: Sequence[Draft]
    size: int
    names: set[str] | None = None


class Room:
    """Checks appends against the bounds; updates that wait for the journal count, too."""

    def __init__(self, kept: Retention) -> None:
        """:param kept: what is kept, and its bounds.  All newest values together, with the overhead of
        their updates, take at most its ``max_state``.
        """
        self._kept = kept
        self._loose: dict[Reservation, None] = {}  # those whose names are not computed
        self._loose_drafts = 0
        self._new: Counter[str] = Counter()  # new stream -> how many reservations make it
        self._size = 0

    def check(self, drafts: Sequence[Draft]) -> None:
        """Check that these drafts may be appended now.

        :raises Refused: see :meth:`reserve`.
        """
        self.release(self.reserve(drafts))

    def reserve(self, drafts: Sequence[Draft]) -> Reservation:
        """Reserve room for an append until :meth:`release`.

        :raises Refused: 429 if there would be too many streams, or too many bytes of newest values.
        """
        kept = self._kept
        held = Reservation(drafts, UPDATE_BYTES * len(drafts) + size_of(drafts))
        streams = kept.count + len(self._new) + self._loose_drafts + len(drafts)
        if streams <= kept.max_streams and kept.pinned + self._size + held.size <= kept.max_state:
            # The usual case: there is room even if each draft makes a stream.
            self._loose[held] = None
            self._loose_drafts += len(drafts)
            self._size += held.size
            return held
        for loose in list(self._loose):
            self._count(loose)
        self._size += held.size
        self._count(held)
        try:
            self._check(held)
        except Refused:
            self.release(held)
            raise
        return held

    def release(self, held: Reservation) -> None:
        """Release a reservation: its updates have been applied, or the append failed."""
        self._size -= held.size
        if held.names is None:
            del self._loose[held]
            self._loose_drafts -= len(held.drafts)
        elif held.names:
            self._new.subtract(held.names)
            for name in held.names:
                if not self._new[name]:
                    del self._new[name]

    def _count(self, held: Reservation) -> None:
        """Compute which streams the drafts make, and how many bytes they add to the newest values."""
        if held in self._loose:
            del self._loose[held]
            self._loose_drafts -= len(held.drafts)
        find = self._kept.find
        held.names = {d.stream for d in held.drafts if d.value is not None and not find(d.stream)}
        self._new.update(held.names)
        growth = 0
        for draft in {d.stream: d for d in held.drafts}.values():
            stream = find(draft.stream)
            growth += cost(draft) - (cost(stream.history[-1]) if stream and stream.history else 0)
        self._size += max(growth, 0) - held.size
        held.size = max(growth, 0)

    def _check(self, held: Reservation) -> None:
        kept = self._kept
        old = [s for d in held.drafts if d.value is None and (s := kept.find(d.stream))]
        leaving = sum(not stream.configured for stream in old)
        if held.names and kept.count + len(self._new) - leaving > kept.max_streams:
            raise Refused(
                429,
                "too-many-streams",
                f"there is no room for another stream: at most {kept.max_streams} "
                "([server] max_streams in streamd.toml)",
            )
        if held.size and kept.pinned + self._size > kept.max_state:  # to shrink is welcome
            raise Refused(
                429,
                "state-full",
                "the newest values alone would exceed [server] max_state in streamd.toml",
            )
