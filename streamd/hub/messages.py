"""Messages that viewers share: each is made once, and kept until the state changes.

Two viewers at the same cursor get the same bytes if their selections match the same streams.  Two
different messages share the text of an update that is in both.  So many different selections cost
little more than one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from streamd.core import catchup
from streamd.core.catchup import Missed
from streamd.core.cursor import UNCOUNTED, Cursor
from streamd.core.state import State
from streamd.core.update import Position, Update
from streamd.hub.audience import Audience
from streamd.hub.deliveries import Step

REMEMBERED = 64
"""The most messages that are kept; each has at most 64 KiB or one update."""

STRAGGLERS = 8
"""The most cursors that keep their changes: usually all viewers of one pace are at the same cursor."""

MakeText = Callable[[Update], bytes]
Texts = dict[MakeText, dict[int, bytes]]
"""The texts of updates that messages share: how they are made -> index of the update -> text."""


class Messages:
    """Makes the messages of a hub's viewers."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._made: dict[object, Step] = {}
        self._missed: dict[tuple[Cursor, bool], tuple[Missed, Texts]] = {}
        self._made_at = (state.head, state.revision, state.roster.epoch)

    def head(self) -> Cursor:
        """Return the cursor of a viewer that is up to date."""
        return Cursor(self._state.head, self._state.revision, None, self._state.applied)

    def next(self, cursor: Cursor, audience: Audience) -> Step:
        """Return the next message of a viewer at ``cursor``, and its cursor after it."""
        self._renew()
        encoding, bits, missed = audience.encoding, audience.matches.bits, None
        if cursor.backlog is None:
            missed = self._missed_after(cursor, encoding.newest)
            bits &= missed[0].touched
        key = cursor, encoding.name, bits
        step = self._made.get(key)
        if step is None:
            if len(self._made) >= REMEMBERED:
                del self._made[next(iter(self._made))]
            step = self._made[key] = self._make(cursor, audience, missed, bits)
        return step

    def _make(
        self, cursor: Cursor, audience: Audience, shared: tuple[Missed, Texts] | None, bits: int
    ) -> Step:
        encoding = audience.encoding
        if shared is None:
            has_all = audience.selection.all
            answer = catchup.since(self._state, cursor, audience.selection, encoding.newest)
            data, at, more = encoding.encode(answer)
        else:
            missed, texts = shared
            has_all = bits == missed.touched
            picked = missed.pick(bits)
            answer = missed.answer(bits, picked)
            made = texts.setdefault(encoding.text, {})
            told = _texts(missed.updates, picked, encoding.text, made)
            data, at, more = encoding.write(answer, told)
        sent, backlog = answer.updates, cursor.backlog
        if at < answer.at:  # the rest did not fit
            sent = [update for update in sent if update.at <= at]
        if encoding.newest:
            sent = [update for update in sent if update.value is not None]
        old = 0 if backlog is None else sum(update.at <= backlog.until for update in sent)
        new = len(sent) - old
        skipped, counted = self._skipped(cursor, new, has_all, more)
        if skipped is None:
            skipped = 0
            if encoding.newest:
                for update in sent:
                    skipped += _replaced(self._state, update, cursor.at)
        after = Cursor(at, answer.revision, backlog if more else None, counted)
        return Step(data, after, new, old, skipped)

    def _skipped(
        self, cursor: Cursor, new: int, has_all: bool, more: bool
    ) -> tuple[int | None, int]:
        """Return how many updates a message never has, and ``counted`` of the next cursor.

        The number of updates in the log tells what is missing, if a viewer gets all of them.  Otherwise
        the first result is None: only history tells.

        :param new: how many updates are in the message that were committed after the viewer joined.
        :param has_all: whether the viewer selects every stream that has changed.
        :param more: whether the next message continues this one.
        """
        exact = has_all and cursor.counted != UNCOUNTED
        if more:
            return (0, cursor.counted + new) if exact else (None, UNCOUNTED)
        applied = self._state.applied
        return (applied - cursor.counted - new) if exact else None, applied

    def _missed_after(self, cursor: Cursor, newest: bool) -> tuple[Missed, Texts]:
        """Return the changes after a cursor, and the texts of their updates that were made."""
        missed = self._missed.get((cursor, newest))
        if missed is None:
            if len(self._missed) >= STRAGGLERS:
                del self._missed[next(iter(self._missed))]
            missed = self._missed[cursor, newest] = Missed(self._state, cursor, newest), {}
        return missed

    def _renew(self) -> None:
        """Drop the messages if the state has changed."""
        state = self._state
        now = (state.head, state.revision, state.roster.epoch)
        if now != self._made_at:
            self._made.clear()
            self._missed.clear()
            self._made_at = now


def _replaced(state: State, update: Update, after: Position) -> int:
    """Return how many updates of a stream are in its history after a position and before an update."""
    stream = state.streams.get(update.stream)
    replaced = 0
    for earlier in () if stream is None else reversed(stream.history):
        if earlier.at <= after:
            break
        replaced += earlier.at < update.at and earlier.value is not None
    return replaced


def _texts(
    updates: Sequence[Update], picked: Iterable[int], make: MakeText, made: dict[int, bytes]
) -> Iterator[bytes]:
    """Yield the texts of the picked updates; each text is made at its first use."""
    for index in picked:
        text = made.get(index)
        if text is None:
            text = made[index] = make(updates[index])
        yield text


class Tick:
    """The messages of one tick: the time, and the proofs of streams."""

    def __init__(self, state: State, now: float, last: float, every: bool = False) -> None:
        """:param now: the time in the message, in seconds since the epoch.

        :param last: the time of the last tick; only later proofs are in the message.
        :param every: older proofs are in it, too.
        """
        self._now, self._last = now, last
        after = 0.0 if every else last
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
            proofs = catchup.proofs(self._state, hits, until, self._last)
            found = encoding.tick(self._now, proofs)
            if len(self._made) < STRAGGLERS:
                self._made[key] = found
        return found
