"""Messages that viewers share: each is made once, and kept until the state changes.

Two viewers at the same cursor get the same bytes if their selections match the same streams.  Two
different messages share the text of an update that is in both.  So many different selections cost
little more than one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from streamd.core import catchup
from streamd.core.catchup import Missed
from streamd.core.cursor import Cursor
from streamd.core.state import State
from streamd.core.update import Update
from streamd.hub.audience import Audience
from streamd.wire.encoding import Encoding, Message

REMEMBERED = 64
"""How many messages are kept; each has at most 64 KiB or one update."""

STRAGGLERS = 8
"""How many cursors keep their changes: usually all viewers of one pace are at the same cursor."""


class Step(NamedTuple):
    """A message that brings the viewers of an audience from one cursor to the next.

    :ivar cursor: the cursor before the message.
    :ivar data: the message; empty if there is nothing to tell.
    :ivar after: the cursor after the message.
    """

    audience: Audience
    cursor: Cursor
    data: bytes
    after: Cursor


class Messages:
    """Makes the messages of a hub's viewers.

    :ivar last: the step that :meth:`next` returned last, or None.
    """

    def __init__(self, state: State) -> None:
        self.last: Step | None = None
        self._state = state
        self._made: dict[object, tuple[bytes, Cursor]] = {}
        self._missed: dict[tuple[Cursor, bool], _Shared] = {}
        self._made_at = (state.head, state.revision, state.roster.epoch)

    def head(self) -> Cursor:
        """Return the cursor of a viewer that is up to date."""
        return Cursor(self._state.head, self._state.revision)

    def next(self, cursor: Cursor, audience: Audience) -> Step:
        """Return the next step of a viewer at ``cursor``."""
        self._renew()
        missed = None if cursor.backlog else self._missed_after(cursor, audience.encoding.newest)
        bits = audience.matches.bits
        hits = bits if missed is None else bits & missed.touched
        if missed is not None and not hits and missed.journal is None:
            self.last = Step(audience, cursor, b"", missed.end)
            return self.last
        key = cursor, audience.encoding.name, hits
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= REMEMBERED:
                del self._made[next(iter(self._made))]
            found = self._made[key] = self._make(cursor, audience, missed, hits)
        self.last = Step(audience, cursor, *found)
        return self.last

    def _make(
        self, cursor: Cursor, audience: Audience, missed: _Shared | None, hits: int
    ) -> tuple[bytes, Cursor]:
        encoding = audience.encoding
        if missed is not None:
            message = missed.encode(encoding, hits)
            return message.data, Cursor(message.at, missed.end.revision)
        answer = catchup.since(self._state, cursor, audience.selection, encoding.newest)
        message = encoding.encode(answer)
        backlog = cursor.backlog if message.more else None
        return message.data, Cursor(message.at, answer.revision, backlog)

    def _missed_after(self, cursor: Cursor, newest: bool) -> _Shared:
        missed = self._missed.get((cursor, newest))
        if missed is None:
            missed = _Shared(self._state, cursor, newest)
            if len(self._missed) >= STRAGGLERS:
                del self._missed[next(iter(self._missed))]
            self._missed[cursor, newest] = missed
        return missed

    def _renew(self) -> None:
        """Drop the messages if the state has changed."""
        state = self._state
        now = (state.head, state.revision, state.roster.epoch)
        if now != self._made_at:
            self._made.clear()
            self._missed.clear()
            self._made_at = now


class _Shared(Missed):
    """The changes after a cursor, with the texts of the updates, which all messages share."""

    def __init__(self, state: State, cursor: Cursor, newest: bool) -> None:
        super().__init__(state, cursor, newest)
        self._texts: dict[Callable[[Update], bytes], _Texts] = {}

    def encode(self, encoding: Encoding, bits: int) -> Message:
        """Make the message about the streams with these bits."""
        picked = self.pick(bits)
        texts = self._texts.get(encoding.text)
        if texts is None:
            texts = self._texts[encoding.text] = _Texts(self.updates, encoding.text)
        return encoding.write(self.answer(bits, picked), map(texts.__getitem__, picked))


class _Texts(dict[int, bytes]):
    """The texts of updates: index -> text; each text is made at its first use."""

    def __init__(self, updates: Sequence[Update], make: Callable[[Update], bytes]) -> None:
        super().__init__()
        self._updates = updates
        self._make = make

    def __missing__(self, index: int) -> bytes:
        text = self[index] = self._make(self._updates[index])
        return text


class Tick:
    """The messages of one tick: the time, and the proofs of streams."""

    def __init__(self, state: State, now: float, after: float) -> None:
        """:param now: the time in the message, in seconds since the epoch.

        :param after: only proofs later than this time are in the message; 0 for all.
        """
        self._now = now
        self._state = state
        numbers = state.roster.numbers
        proved = (numbers[s.name] for s in state if s.proof is not None and s.proof > after)
        self._proved = state.roster.bits_of(proved)
        self._made: dict[object, bytes] = {}

    def message(self, audience: Audience) -> bytes:
        """Return the message for the viewers of an audience that are up to date with its last flush."""
        encoding, until = audience.encoding, audience.flushed.at
        if encoding.tick is None:
            return b""
        # Plain encodings have no proofs.
        hits = 0 if encoding.newest else audience.matches.bits & self._proved
        key = encoding.name, hits, until
        found = self._made.get(key)
        if found is None:
            proofs = catchup.proofs(self._state, hits, until)
            found = encoding.tick(self._now, proofs)
            if len(self._made) < STRAGGLERS:
                self._made[key] = found
        return found
