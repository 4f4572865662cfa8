"""One stream: its description, its history and its health."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from streamd.core.description import Description
from streamd.core.health.source_health import SourceHealth
from streamd.core.health.verdict import Health, Level, Trouble, knowledge, level, standing
from streamd.core.histories.long_history import LongHistory
from streamd.core.histories.past import Past
from streamd.core.update import ORIGIN, Update, time_of
from streamd.core.values import to_python

MAX_SILENCES = 64
"""The most silences (gaps in a chart's line) that one stream remembers: a chart shows no more."""

HEARD = 1.0
"""Seconds within which all nodes get an update.

A proof within this time after an update is the update itself: all nodes know its time in the log,
but each got it at another time.
"""

VOUCHED = 4.0
"""Seconds until a report of a source's health expires; the node that runs it renews it every second."""

UNSETTLED = 10.0
"""Seconds after its start in which a node of several notes no silence: within them another node reports
that it followed the stream, or a source reads the value."""

UNREADABLE = "its last value cannot be read in the log"
"""The error of a stream whose newest value is not JSON, until its next value."""

UNREPORTED = "no source reports it any more"
"""The reason of a stream that is late because its source, as configured now, does not make it."""

PAUSED = "the daemon did not run for a while, and reads its sources again"
"""The reason of a stream that is late because the process was paused."""


class Stream:
    """One stream as viewers see it; only :class:`~streamd.core.state.State` changes it.

    The history of a forgotten stream is one update without a value.  A configured stream continues to
    exist.  Any other stream is ``gone``: it stays as a tombstone, so that viewers who were away learn
    that it was forgotten.

    Its health follows from the age of its newest proof (the last time its value was known to be true),
    a doubt whether a newer value exists, an error in its own last value, and the health of its source.
    """

    def __init__(self, name: str, description: Description, configured: bool, now: float) -> None:
        self.name = name
        self.history: deque[Update] = deque()
        self.lost = ORIGIN  # the newest update that history no longer has
        # Revisions of the state: when it was last forgotten, described, judged.
        self.buried = self.described = self.judged = 0
        self._described: Description | None = None
        self._vital: Health | None = None
        self._description_text = self._health_text = b""
        self.long: LongHistory | None = None
        self.past: Past | None = None
        self.gone = False
        self.begin(description, configured, now)

    def begin(self, description: Description, configured: bool, now: float) -> None:
        """Set the stream to its initial state, when it is made and when it exists again."""
        self.description = description
        self.configured = configured
        self.source: SourceHealth | None = None  # if this source fails, the stream fails
        self.proved = 0  # the number of its source's newest reading that confirmed its value
        self.refused: Trouble | None = None  # the error of the source's last reading of this stream
        self.began = now  # without any proof, the stream becomes late ``expect`` seconds after this
        self.proof: float | None = None
        self.vouched = 0.0  # until then it is not late, as the node reported that runs its source
        # Why a newer value may exist: empty if this one was only read from the log, None if confirmed.
        self.doubt: str | None = None
        self.paused = False  # whether the process did not run for a while, and this one is doubted
        # Until then the long history takes no silence: another node may have followed the stream while
        # this one did not.  0 if that is known.
        self.unsettled = 0.0
        self.unreadable: str | None = None  # why its newest entry in the log could not be read
        self.level: Level = "ok"
        self.health = Health("fresh", "ok", now)
        # (last proof, time when it was fresh again): a chart must not draw a line through this time.
        self.silences: deque[tuple[float, float | None]] = deque(maxlen=MAX_SILENCES)
        self.begin_long(() if self.long is None else self.long.stored)
        if self.past is not None:
            self.past.end()

    @property
    def newest(self) -> Update | None:
        """The newest update; None if there never was one, or the stream was forgotten."""
        last = self.history[-1] if self.history else None
        return None if last is None or last.value is None else last

    @property
    def made(self) -> bool:
        """Return whether a source made the stream; that source may not be configured any more."""
        return self.source is not None and self.name in self.source.streams

    @property
    def noted(self) -> int:
        """The revision of the state at which the stream last changed, apart from its values."""
        return max(self.buried, self.described, self.judged)

    # -- health ------------------------------------------------------------------------------------

    @property
    def error(self) -> str | None:
        """The reason why the stream is failed; None if it is not."""
        source = self.source
        if self.refused is None and (source is None or source.troubled < self.proved):
            return self.unreadable  # the usual case: no error is newer than the last proof
        trouble = self.trouble()
        return self.unreadable if trouble is None else trouble.message

    def trouble(self) -> Trouble | None:
        """Return the newest unresolved error of the stream or of its source, or None."""
        troubles = [standing(self.refused, self.proved)]
        if self.source is not None:
            troubles += self.source.troubles(self.name, self.proved)
        return max(filter(None, troubles), default=None)

    @property
    def lapse(self) -> str | None:
        """The reason why a newer value may exist: empty if unknown, None if none can exist."""
        if self.paused:
            return PAUSED
        gap = None if self.source is None else self.source.gap
        return self.doubt if self.doubt or gap is None or gap.reading < self.proved else gap.message

    def begin_long(self, stored: Iterable[int]) -> None:
        """Begin a new long history, if the description asks for one.

        :param stored: the blocks of the old one that a journal may have.
        """
        rollup = self.description.rollup
        self.long = None if rollup is None else LongHistory(rollup, self.level_of, stored)

    def make_past(self, until: float) -> Past | None:
        """Return an empty past for the time before the long history; None if the stream has none.

        It replaces the stream's past only once the caller assigns it to ``past``.

        :param until: when the past ends if the long history is empty, in seconds since the epoch.
        """
        if self.long is None or self.description.rollup is None:
            return None
        former = self.past
        if former is not None and not former.ended:
            until = former.until
        elif (since := self._long_since()) is not None:
            until = since
        stored = () if former is None else former.stored
        return Past(self.description.rollup, until, self.level_of, stored)

    def _long_since(self) -> float | None:
        """Return when the long history begins; None if it is empty."""
        assert self.long is not None
        if self.long.raw_since is None and self.history:
            return min(map(time_of, self.history))
        words = self.long.segments[0].changes
        begins = [*([words[0][0]] if words else ()), self.long.slots.first]
        return min((begin for begin in begins if begin is not None), default=None)

    def confirm(self, now: float) -> None:
        """Note that the value is true now, regardless of the health of the source."""
        self.proof = now
        self.doubt = self.unreadable = None

    def vouch(self) -> None:
        """Note that another node followed the stream while this one did not: there was no silence."""
        if self.doubt == "" and self.long is not None:
            self.long.resume(0.0, self.history[-1].value if self.history else None)
        self.doubt = None

    def expire_report(self, now: float) -> bool:
        """Doubt the value when the last report of the node that runs its source has expired.

        Perhaps no node runs the source then.  Without ``expect``, nothing else would show that.

        :returns: whether the report has just expired.
        """
        if not 0.0 < self.vouched <= now:
            return False
        self.vouched = 0.0
        self.doubt = self.doubt or ""
        return True

    def bound(self, now: float) -> None:
        """Move times that lie too far in the future: the clock was set back.

        Otherwise the stream could not become late until the clock reached that time again.
        """
        self.began = min(self.began, now)
        self.vouched = min(self.vouched, now + VOUCHED)
        self.unsettled = min(self.unsettled, now + UNSETTLED)
        if self.proof is not None and self.proof > now:
            self.proof = now
        if self.long is not None:
            self.long.bound(now)
        if self.past is not None:
            self.past.expire(now)

    def judge_level(self) -> None:
        """Set the level (ok, warn or critical) from the newest value."""
        limited = self.description.warn is not None or self.description.critical is not None
        value = self.history[-1].value if limited and self.history else None
        self.level = "ok" if value is None else self.level_of(value) or "ok"

    def judge_limits(self, now: float) -> None:
        """Set the level from the newest value, after its limits may have changed."""
        self.judge_level()
        newest = self.newest
        if self.long is not None and newest is not None:
            self.long.judge_level(now, newest.value or b"null")

    def level_of(self, value: bytes) -> Level | None:
        """Return the level of a value, which is JSON text; None if the stream has no limits."""
        warn, critical = self.description.warn, self.description.critical
        limited = warn is not None or critical is not None
        return level(to_python(value), warn, critical) if limited else None

    def judge(self, now: float) -> bool:
        """Compute the health; return whether it has changed."""
        error = self.error
        expect = self.description.expect if now >= self.vouched else None
        proof = self.began if self.proof is None else self.proof
        lapse = self.lapse
        state = knowledge(error, proof, expect, now, lapse is not None)
        if lapse and error is None:
            error = lapse
        h = self.health
        if (state == "fresh") != (h.state == "fresh"):
            if state != "fresh":
                self.silences.append((now if self.proof is None else self.proof, None))
                self._note_silence(now)
            elif self.silences:
                self.silences.append((self.silences.pop()[0], now))
                if self.long is not None:
                    self.long.resume(
                        self._proved(now), self.history[-1].value if self.history else None
                    )
        if (state, self.level, error) == (h.state, h.level, h.error):
            return False
        self.health = Health(state, self.level, now, self.proof, error)
        return True

    def settle(self, now: float) -> None:
        """Begin a silence if by now no node has said that it followed the stream: see :meth:`vouch`."""
        if 0.0 < self.unsettled <= now:
            self.unsettled = 0.0
            if self.health.state != "fresh":
                self._note_silence(now)

    def _note_silence(self, now: float) -> None:
        if self.long is not None and not self.unsettled:
            self.long.silence(self._proved(now))

    def _proved(self, now: float) -> float:
        """Return the time of the last proof, the same on each node; now if there is no proof."""
        proof = now if self.proof is None else self.proof
        appended = self.history[-1].at.ms / 1000 if self.history else 0.0
        return appended if 0.0 <= proof - appended < HEARD else proof

    def current_health(self) -> Health:
        """Return the health with the newest proof."""
        h = self.health
        if h.proof != self.proof:
            self.health = h = Health(h.state, h.level, h.since, self.proof, h.error)
        return h

    # -- cached JSON -------------------------------------------------------------------------------

    @property
    def description_text(self) -> bytes:
        """The description as JSON."""
        if self._described is not self.description:
            self._described = self.description
            self._description_text = msgspec.json.encode(self.description.public())
        return self._description_text

    @property
    def health_text(self) -> bytes:
        """The health as JSON."""
        health = self.current_health()
        if self._vital is not health:
            self._vital, self._health_text = health, msgspec.json.encode(health)
        return self._health_text
