"""One stream: what it is, what it said, and whether it can be believed."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import msgspec

from streamd.core.description import Description
from streamd.core.health import Health, Level, knowledge, level
from streamd.core.update import ORIGIN, Update
from streamd.core.values import to_python

MAX_SILENCES = 64
"""Of one stream, that are remembered: a chart shows no more."""


class Report(NamedTuple):
    """What the node that runs a source says of a stream.

    :ivar late: whether its proof is due.
    """

    proof: float | None
    error: str | None
    late: bool


class Stream:
    """What is known of one; :class:`~streamd.core.state.State` alone changes it.

    When it is forgotten its history is one update without a value.  Unless it is configured it is
    ``gone`` then, and stays as a tombstone until there are too many, so that whoever was away is told.
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
        self.begin(description, configured, now)

    def begin(self, description: Description, configured: bool, now: float) -> None:
        """Become a stream about which nothing is known yet, for the first time or again."""
        self.description = description
        self.configured = configured
        self.gone = False
        self.began = now  # from then on a proof is waited for
        self.proof: float | None = None
        self.vouched = 0.0  # until then whoever runs its source says that it is not late
        self.restored = False  # what it said is from before, and nobody has confirmed it since
        self.error: str | None = None
        self.recovering = False  # the next update is newer than that error, and ends it
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

    def confirm(self, now: float) -> None:
        """It is what it says."""
        self.proof, self.restored = now, False
        if self.recovering:
            self.error = None

    def hear(self, report: Report, until: float) -> None:
        """So it is, says the node that runs its source; that holds until then."""
        if report.proof is not None:
            self.proof, self.restored = max(report.proof, self.proof or report.proof), False
        self.error, self.recovering = report.error, False
        self.vouched = 0.0 if report.late else until

    def report(self) -> Report:
        """How it is, for nodes that do not run its source."""
        late = self.health.state == "late"
        return Report(None if self.restored else self.proof, self.error, late)

    def bound(self, now: float) -> None:
        """A proof from the future means that the clock was set back: it counts from now on.

        Or nothing would be late until the clock got there again.
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
        expect = self.description.expect if now >= self.vouched else None
        proof = self.began if self.proof is None else self.proof
        state = knowledge(self.error, proof, expect, now, self.restored)
        h = self.health
        if (state == "fresh") != (h.state == "fresh"):
            if state != "fresh":
                self.silences.append((now if self.proof is None else self.proof, None))
            elif self.silences:
                self.silences.append((self.silences.pop()[0], now))
        if (state, self.level, self.error) == (h.state, h.level, h.error):
            return False
        self.health = Health(state, self.level, now, self.proof, self.error)
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
