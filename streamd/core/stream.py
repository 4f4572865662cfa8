"""One stream: what it is, what it said, and whether it can be believed."""

from __future__ import annotations

from collections import deque

import msgspec

from streamd.core.description import Description
from streamd.core.health import Health, Level, Trouble, knowledge, level, standing
from streamd.core.source_health import SourceHealth
from streamd.core.update import ORIGIN, Update
from streamd.core.values import to_python

MAX_SILENCES = 64
"""Silences of one stream that are remembered: a chart shows no more."""

UNREADABLE = "its last value cannot be read in the log"
"""Why a stream fails whose newest value is no JSON, until it has another one."""


class Stream:
    """What is known of one stream; :class:`~streamd.core.state.State` alone changes it.

    When it is forgotten its history is one update without a value.  Unless it is configured it is
    ``gone`` then, and stays as a tombstone until there are too many, so that whoever was away is told.

    Its health is derived: from its newest proof and what is expected of it, from the refusal of its own
    last value, and from the record of its source.
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
        self.gone = False
        self.begin(description, configured, now)

    def begin(self, description: Description, configured: bool, now: float) -> None:
        """Become a stream about which nothing is known yet, for the first time or again."""
        self.description = description
        self.configured = configured
        self.source: SourceHealth | None = None  # whose failures are its own
        self.proved = 0  # the number of the newest reading of its source that proved it
        self.refused: Trouble | None = (
            None  # what its source read last, and it could not be a value
        )
        self.began = now  # from then on a proof is waited for
        self.proof: float | None = None
        self.vouched = 0.0  # until then the node that runs its source says that it is not late
        self.restored = (
            False  # its value is from before the log was read, and was not confirmed since
        )
        self.unreadable: str | None = None  # why its newest entry in the log could not be read
        self.level: Level = "ok"
        self.health = Health("fresh", "ok", now)
        # From the last proof until it could be believed again: a line through it would be a lie.
        self.silences: deque[tuple[float, float | None]] = deque(maxlen=MAX_SILENCES)

    @property
    def newest(self) -> Update | None:
        """Its newest update; None if there never was one, or it was forgotten."""
        last = self.history[-1] if self.history else None
        return None if last is None or last.value is None else last

    @property
    def noted(self) -> int:
        """The revision of the state at which something was last said about it."""
        return max(self.buried, self.described, self.judged)

    # -- whether it can be believed ----------------------------------------------------------------

    @property
    def error(self) -> str | None:
        """Why the stream is failed; None if it is not."""
        source = self.source
        if self.refused is None and (source is None or source.troubled < self.proved):
            return self.unreadable  # the usual case: nothing can stand
        trouble = self.trouble()
        return self.unreadable if trouble is None else trouble.message

    def trouble(self) -> Trouble | None:
        """Return the newest trouble of the stream or of its source that stands."""
        troubles = [standing(self.refused, self.proved)]
        if self.source is not None:
            troubles += self.source.troubles(self.name, self.proved)
        return max(filter(None, troubles), default=None)

    def confirm(self, now: float) -> None:
        """Note that its value is true now, whatever its source says."""
        self.proof = now
        self.restored, self.unreadable = False, None

    def bound(self, now: float) -> None:
        """Count a proof from the future from now on: the clock was set back.

        Otherwise nothing would be late until the clock got there again.
        """
        self.began = min(self.began, now)
        if self.proof is not None and self.proof > now:
            self.proof = now

    def judge_level(self) -> None:
        """Find out what its newest value means."""
        d = self.description
        if self.history and (d.warn is not None or d.critical is not None):
            value = self.history[-1].value
            self.level = level(to_python(value or b"null"), d.warn, d.critical)
        else:
            self.level = "ok"

    def judge(self, now: float) -> bool:
        """Find out how it is, and whether that is news."""
        error = self.error
        expect = self.description.expect if now >= self.vouched else None
        proof = self.began if self.proof is None else self.proof
        state = knowledge(error, proof, expect, now, self.restored)
        h = self.health
        if (state == "fresh") != (h.state == "fresh"):
            if state != "fresh":
                self.silences.append((now if self.proof is None else self.proof, None))
            elif self.silences:
                self.silences.append((self.silences.pop()[0], now))
        if (state, self.level, error) == (h.state, h.level, h.error):
            return False
        self.health = Health(state, self.level, now, self.proof, error)
        return True

    def current_health(self) -> Health:
        """Its health with its newest proof."""
        h = self.health
        if h.proof != self.proof:
            self.health = h = Health(h.state, h.level, h.since, self.proof, h.error)
        return h

    # -- what is said of it, made once -------------------------------------------------------------

    @property
    def description_text(self) -> bytes:
        """Its description as JSON."""
        if self._described is not self.description:
            self._described = self.description
            self._description_text = msgspec.json.encode(self.description.public())
        return self._description_text

    @property
    def health_text(self) -> bytes:
        """Its health as JSON."""
        health = self.current_health()
        if self._vital is not health:
            self._vital, self._health_text = health, msgspec.json.encode(health)
        return self._health_text
