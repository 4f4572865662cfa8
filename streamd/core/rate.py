"""Rates: bound how often each client may do something, as a token bucket.  Pure.

For each client only one time is kept: when its bucket will be full again.  From it follows how many
tokens are in the bucket.  (This is the generic cell rate algorithm, ITU-T I.371, annex A.)
"""

from __future__ import annotations

from collections import OrderedDict

BURST = 10.0
"""The seconds of its rate that a client may use at once: a page asks for many things when it starts."""

MAX_CLIENTS = 10_000
"""The most clients that are remembered: 2 MB.

Beyond it the client that did nothing for longest is forgotten, and begins with a full bucket if it
comes back.
"""


class Rate:
    """The buckets of all clients for one kind of request."""

    def __init__(self, per_second: float, burst: float = BURST) -> None:
        """:param per_second: how many requests a client may make for long; 0 for any number.

        :param burst: the seconds of this rate that a full bucket holds.
        """
        self.per_second = per_second
        self._size = max(1.0, per_second * burst)
        self._full: OrderedDict[str, float] = OrderedDict()  # client -> when its bucket is full

    def __len__(self) -> int:
        """Return how many clients are remembered."""
        return len(self._full)

    def take(self, client: str, now: float) -> float:
        """Take a token of a client and return 0, or return the seconds until there is one.

        :param now: seconds on a monotonic clock.
        """
        if not self.per_second:
            return 0.0
        missing = max(0.0, self._full.get(client, now) - now) * self.per_second
        if missing + 1 > self._size:
            return (missing + 1 - self._size) / self.per_second
        if client not in self._full and len(self._full) >= MAX_CLIENTS:
            self._full.popitem(last=False)
        self._full[client] = now + (missing + 1) / self.per_second
        self._full.move_to_end(client)
        return 0.0
