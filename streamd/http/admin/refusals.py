"""Refusals: for administrators, the attempts that were refused because a right is missing.

Each node keeps its own refusals, in memory.  One address has one entry for each reason, so a client
that tries a thousand times does not hide other clients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from streamd.core.errors import Refused
from streamd.core.update import MAX_NAME
from streamd.http.request import Request

ATTEMPTS = frozenset(
    (
        "bad-signature",
        "bad-token",
        "no-token",
        "no-right",
        "signed-out",
        "foreign-origin",
        "unknown-host",
        "unknown-code",
        "too-many-guesses",
        "too-many-codes",
        "link-ended",
        "not-opened",
    )
)
"""The codes of refusals that are kept: somebody may not do something.  Mistakes are not among them."""

MAX_REFUSALS = 200
"""The most entries, with at most a kilobyte each.  Beyond it the oldest is forgotten."""

MAX_METHOD, MAX_PATH, MAX_MESSAGE = 20, MAX_NAME + 40, 300
"""The most characters that are kept; the path of a stream fits."""


class Refusal(NamedTuple):
    """The refused attempts of one address for one reason: their number, and facts about the newest.

    :ivar at: when the newest was, in seconds since the epoch.
    :ivar path: without the query, which may have a secret.
    """

    at: float
    address: str
    method: str
    path: str
    code: str
    message: str
    times: int


class Refusals:
    """The refused attempts that this node keeps."""

    def __init__(self, now: Callable[[], float]) -> None:
        """:param now: returns seconds since the epoch."""
        self._now = now
        self._kept: dict[tuple[str, str], Refusal] = {}  # the newest at the end

    def note(self, error: Refused, request: Request) -> None:
        """Keep a refusal, if its reason is a missing right."""
        if error.code not in ATTEMPTS:
            return
        key = request.client.group, error.code
        before = self._kept.pop(key, None)
        if len(self._kept) >= MAX_REFUSALS:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = Refusal(
            self._now(),
            str(request.client),
            request.method[:MAX_METHOD],
            request.path[:MAX_PATH],
            error.code,
            error.message[:MAX_MESSAGE],
            1 if before is None else before.times + 1,
        )

    def listing(self) -> list[Refusal]:
        """Return the entries, the newest first."""
        return list(reversed(self._kept.values()))
