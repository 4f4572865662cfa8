"""Guesses: slows down a client that tries many tokens, without locking out others.  Pure.

A request waits before its token is judged.  So a guess costs its sender the whole pause, and a
client that hangs up early learns nothing.  A right token waits as well, but at most :data:`PAUSE`.

One program with an outdated token must not slow down a whole office behind one address.  Therefore
only a wrong token waits if it is repeated.  Many different wrong tokens make all tokens of an
address wait.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable

PAUSE = 2.0
"""Seconds for which a request waits after too many guesses."""

FREE = 10
"""The most different wrong tokens of an address in :data:`WINDOW`, and the most repetitions of one."""

WINDOW = 60.0
"""Seconds after which the guesses of an address are forgotten."""

MAX_CLIENTS = 1000
"""The most addresses whose guesses are counted.  Beyond it the oldest is forgotten."""


class Guesses:
    """The wrong tokens of each client address, as keyed hashes."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        """:param seconds: the monotonic clock."""
        self._seconds = seconds
        self._key = os.urandom(16)
        self._clients: dict[str, tuple[float, Counter[bytes]]] = {}

    @property
    def any(self) -> bool:
        """Return whether any address has tried a wrong token."""
        return bool(self._clients)

    def pause(self, client: str, token: str) -> float:
        """Return the seconds for which a request has to wait before its token is judged."""
        tried = self._tried(client)
        if not tried:
            return 0.0
        return PAUSE if len(tried) >= FREE or tried[self._hash(token)] >= FREE else 0.0

    def wrong(self, client: str, token: str) -> None:
        """Count a wrong token."""
        tried = self._tried(client)
        if not tried:
            self._clients.pop(client, None)
            while len(self._clients) >= MAX_CLIENTS:
                del self._clients[next(iter(self._clients))]
            self._clients[client] = self._seconds(), tried
        known = self._hash(token)
        if known in tried or len(tried) < FREE:
            tried[known] += 1

    def _tried(self, client: str) -> Counter[bytes]:
        """Return how often an address tried each wrong token lately."""
        known = self._clients.get(client)
        return known[1] if known and self._seconds() - known[0] < WINDOW else Counter()

    def _hash(self, token: str) -> bytes:
        return hashlib.blake2b(
            token.encode("utf-8", "replace"), key=self._key, digest_size=8
        ).digest()
