"""Overviews: the description and the health of every selected stream, as the end of a message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from streamd.core.selection import Selection
from streamd.core.state import State
from streamd.wire.encoding import closing, member

SHORT = 64
"""Streams of an overview that is kept as a whole: most walls have fewer."""

KEPT_BYTES = 4 * 2**20
KEPT_TEXTS = 2048
"""The bounds of the cache: two hellos of 9,000 streams, or 600 hellos of few streams."""


def overview(
    state: State, selection: Selection, journal: Any = None, gone: Iterable[str] = ()
) -> Iterator[bytes]:
    """Yield the closing part of a message: descriptions and health of all selected streams.

    Each piece is made when it is asked for, from the state at that time.

    :param journal: the fields of a ``journal`` message; None leaves them out.
    :param gone: names of streams that were forgotten.
    """
    overviews = Overviews(state)
    return overviews.parts(state.roster.matches(selection).bits, journal, gone)


class Overviews:
    """Makes overviews and caches their texts, which many viewers share after a restart.

    Texts are made lazily, so a viewer that does not read takes no memory for them.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        # Whole overviews by the bits of their streams, and parts by (health, chunk, bits).
        self._kept: dict[int | tuple[bool, int, int], bytes] = {}
        self._size = 0
        self._revision = state.revision
        self._journal: Any = None  # as in the whole overviews

    def renew(self) -> None:
        """Drop the cached texts, because they lack the newest proofs."""
        self._kept.clear()
        self._size = 0
        self._revision = self._state.revision

    def parts(self, bits: int, journal: Any = None, gone: Iterable[str] = ()) -> Iterator[bytes]:
        """Yield the overview of the streams with these bits; see :func:`overview`."""
        bits &= self._state.roster.all_bits
        if gone or bits.bit_count() > SHORT:
            return self._parts(bits, journal, gone)
        if journal != self._journal:
            self.renew()
            self._journal = journal
        whole = self._find(bits)
        if whole is None:
            whole = self._keep(bits, b"".join(self._parts(bits, journal, gone)))
        return iter((whole,))

    def _parts(self, bits: int, journal: Any, gone: Iterable[str]) -> Iterator[bytes]:
        # Both walks begin now: later, the numbers may be those of other streams.
        walk = self._state.roster.walk
        streams = self._texts(walk(bits), is_health=False)
        return closing(streams, self._texts(walk(bits), is_health=True), journal, gone)

    def _texts(self, chunks: Iterator[tuple[int, int]], is_health: bool) -> Iterator[bytes]:
        for index, wanted in chunks:
            key = is_health, index, wanted
            text = self._find(key)
            if text is None:
                text = self._keep(key, self._make(index, wanted, is_health))
            if text:
                yield text

    def _find(self, key: int | tuple[bool, int, int]) -> bytes | None:
        if self._revision != self._state.revision:
            self.renew()
        return self._kept.get(key)

    def _keep(self, key: int | tuple[bool, int, int], text: bytes) -> bytes:
        if self._size + len(text) > KEPT_BYTES or len(self._kept) >= KEPT_TEXTS:
            self.renew()
        self._kept[key] = text
        self._size += len(text)
        return text

    def _make(self, index: int, wanted: int, is_health: bool) -> bytes:
        found = map(self._state.get, self._state.roster.names_in(index, wanted))
        streams = [stream for stream in found if stream is not None]
        if is_health:
            return b",".join([member(s.name, s.health_text) for s in streams])
        return b",".join([member(s.name, s.description_text) for s in streams])
