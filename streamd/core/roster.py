"""The roster: the names of streams, and which of them each selection matches.

Broadcasts need the matches of every viewer's selection several times a second.  A name and a selection
are therefore compared only once, when one of the two is new.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from itertools import chain, compress, starmap
from weakref import WeakValueDictionary

from streamd.core.selection import Selection

CHUNK = 256
"""Numbers of streams in one chunk, which is searched as a whole."""

SLICE = 4096
"""Names that are matched in one slice with a selection without ``*``: about a millisecond.

Fewer names are matched if the selection has ``*``.
"""

REMEMBERED = 128
"""The most selections that keep their matches without a viewer: a client may ask again."""


class Roster:
    """The names of streams, each with a number, and which of them each selection matches.

    :ivar numbers: name -> number; the number of a discarded name is used again for another name.
    """

    def __init__(self) -> None:
        self.epoch = 0  # counts how often ``news`` began anew
        self._added = 0  # counts the names that were ever added
        self.clear()
        self._matches: WeakValueDictionary[Selection, Matches] = WeakValueDictionary()
        self._recent: deque[Matches] = deque(maxlen=REMEMBERED)

    def clear(self) -> None:
        """Forget all names."""
        self.numbers: dict[str, int] = {}
        self.names: list[str | None] = []
        self.news: list[int] = []  # numbers in the order in which their names changed
        self.epoch += 1
        self._free: list[int] = []
        self._since = array("Q")  # number -> ``_added`` when its name got it

    @property
    def all_bits(self) -> int:
        """The bits of all numbers, also of those that no name has now."""
        return (1 << len(self.names)) - 1

    def add(self, name: str) -> None:
        """Give a new name a number."""
        self._added += 1
        if self._free:
            number = self._free.pop()
            self.names[number] = name
            self._since[number] = self._added
        else:
            number = len(self.names)
            self.names.append(name)
            self._since.append(self._added)
        self.numbers[name] = number
        self._note(number)

    def discard(self, name: str) -> None:
        """Forget a name; an unknown name is ignored."""
        number = self.numbers.pop(name, None)
        if number is not None:
            self.names[number] = None
            self._free.append(number)
            self._note(number)

    def _note(self, number: int) -> None:
        self.news.append(number)
        # Names that come and go must not make this grow for ever.
        if len(self.news) > 2 * len(self.names) + CHUNK:
            self.news = list(range(len(self.names)))
            self.epoch += 1

    def matches(self, selection: Selection) -> Matches:
        """Return the matches of a selection; equal selections share one object."""
        found = self._matches.get(selection)
        if found is None:
            found = self._matches[selection] = Matches(self, selection)
            self._recent.append(found)
        return found

    def select(self, bits: int) -> Iterator[str]:
        """Yield the names whose bits are set; names may be added and removed during the iteration."""
        return chain.from_iterable(starmap(self.names_in, self.walk(bits)))

    def walk(self, bits: int) -> Iterator[tuple[int, int]]:
        """Yield the non-empty chunks of the bits, as pairs of index and chunk.

        The iteration may last minutes, because viewers read slowly.  A number that another name gets
        meanwhile is left out: its stream may be one that the viewer must not see.
        """
        return self._walk(bits & self.all_bits, self._added)

    def _walk(self, bits: int, added: int) -> Iterator[tuple[int, int]]:
        for index, chunk in self.chunks(bits):
            wanted = chunk if self._added == added else chunk & self._older(index, added)
            if wanted:
                yield index, wanted

    def _older(self, index: int, added: int) -> int:
        """Return the bits of the numbers in a chunk whose names were there before."""
        since = self._since[CHUNK * index : CHUNK * (index + 1)]
        return sum(1 << place for place, when in enumerate(since) if when <= added)

    @staticmethod
    def chunks(bits: int) -> Iterator[tuple[int, int]]:
        """Yield the non-empty chunks of the bits, as pairs of index and chunk."""
        for index in range((bits.bit_length() + CHUNK - 1) // CHUNK):
            if wanted := bits >> CHUNK * index & (1 << CHUNK) - 1:
                yield index, wanted

    def names_in(self, index: int, wanted: int) -> list[str]:
        """Return the names of one chunk whose bits are set."""
        start = CHUNK * index
        flags = map(int, reversed(f"{wanted:b}"))
        return [name for name in compress(self.names[start : start + CHUNK], flags) if name]

    def bits_of(self, numbers: Iterable[int]) -> int:
        """Return the bits of some numbers."""
        flags = bytearray(len(self.names) // 8 + 1)
        for number in numbers:
            flags[number >> 3] |= 1 << (number & 7)
        return int.from_bytes(flags, "little")


class Matches:
    """The names of a roster that one selection matches, one bit for each number.

    Bits cost 1.25 kB for 10,000 streams: a set of names for each of many viewers would be too large.
    """

    def __init__(self, roster: Roster, selection: Selection) -> None:
        self.selection = selection
        self._roster = roster
        self._bits = -1 if selection.all else 0  # all ones, also for future numbers
        self._seen = 0  # how many of the roster's news are in the bits
        self._epoch = roster.epoch

    @property
    def bits(self) -> int:
        """The bits of all matching names; this matches all new names first."""
        while not self.advance():
            pass
        return self._bits

    def steps(self) -> Generator[None, None, None]:
        """Match all new names, one slice at each step."""
        while not self.advance():
            yield

    def advance(self) -> bool:
        """Match a slice of the new names; return whether all are matched."""
        roster, selection = self._roster, self.selection
        if selection.all:
            return True
        if self._epoch != roster.epoch:
            self._bits, self._seen, self._epoch = 0, 0, roster.epoch
        news = roster.news
        if self._seen == len(news):
            return True
        if not self._seen and not selection.globs:
            names = roster.numbers.keys() & selection.names
            self._bits = roster.bits_of(roster.numbers[name] for name in names)
            self._seen = len(news)
            return True
        end = min(len(news), self._seen + SLICE // (1 + selection.stars))
        for number in news[self._seen : end]:
            name = roster.names[number]
            if name is not None and name in selection:
                self._bits |= 1 << number
            elif self._bits >> number & 1:
                self._bits ^= 1 << number
        self._seen = end
        return end == len(news)
