"""Limits the number of connections, in total and for each client address.

Seats limit the viewers.  This module limits all other connections: those that speak HTTP or have
sent nothing yet.  Their limit is above ``max_viewers``, because thousands of viewers may reconnect
at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Protocol

from streamd.core.errors import Refused
from streamd.core.quota import Quota, Share

SURPLUS_PART = 10
"""One in ten of the connections beside viewers is kept for surplus connections."""


class Limited(Protocol):
    """A connection, as the limits use it."""

    def abort(self) -> None:
        """Close without waiting for anything."""


class ConnectionLimits:
    """Counts connections by client address.

    A connection beyond a limit is *surplus*.  It may still send one request.  Monitors and
    publishers with a token get an answer; all others get the reason of the refusal.  If there are too
    many surplus connections, a new one displaces the oldest, which may have sent nothing.

    :ivar displaced: how many connections were closed for newer ones.
    """

    def __init__(
        self,
        links: Sized,
        viewers_of: Callable[[str], int],
        max_viewers: int,
        spare: int,
        share: Share | None = None,
    ) -> None:
        """:param links: the connections of viewers.  A viewer that polls has none: its requests count.

        :param viewers_of: returns how many of them a client address has.
        :param spare: how many connections there may be besides viewers.
        :param share: the part of all connections that one client address may have.
        """
        self.displaced = 0
        self._links = links
        self._viewers_of = viewers_of
        self._spare = spare
        self._most_surplus = max(1, spare // SURPLUS_PART)
        self._quota = Quota(max_viewers + spare, share)
        self._clients: dict[Limited, str] = {}  # both are in the order of arrival
        self._surplus: dict[Limited, None] = {}

    def change(self, max_viewers: int) -> None:
        """Change how many viewers there may be."""
        self._quota.total = max_viewers + self._spare

    @property
    def _most(self) -> int:
        return self._quota.total

    def admit(self, connection: Limited, client: str) -> bool:
        """Count a new connection.

        :param client: the address under which it is counted; empty for the connection of a proxy,
            because its client is known only after the head of a request, or of the PROXY protocol.
        :returns: whether older connections were closed for it.
        """
        self._count(connection, client)
        before = self.displaced
        while len(self._surplus) > self._most_surplus:
            self._displace(next(iter(self._surplus)))
        # Viewers may have come since these connections were admitted.
        while self._clients and self._total > self._most:
            self._displace(next(iter(self._clients)))
        return self.displaced > before

    @property
    def _total(self) -> int:
        return len(self._clients) + len(self._surplus) + len(self._links)

    def _count(self, connection: Limited, client: str) -> None:
        if self.refusal(client) is not None:
            self._surplus[connection] = None
        else:
            self.keep(connection, client)

    def keep(self, connection: Limited, client: str) -> None:
        """Count a connection even beyond the limits: its client has a token."""
        self.release(connection)
        self._clients[connection] = client
        self._quota.take(client)

    def refusal(self, client: str) -> Refused | None:
        """Return why another connection from this address would be surplus, or None."""
        return self._quota.refusal(
            client,
            "connections",
            elsewhere=self._most_surplus + len(self._links),
            own=self._viewers_of(client),
            full=self._full,
        )

    def _full(self) -> Refused:
        most = self._most - self._most_surplus
        message = f"there are {most} connections; raise [server] max_viewers to allow more"
        return Refused(503, "too-many-connections", message)

    def is_surplus(self, connection: Limited, client: str) -> bool:
        """Return whether a connection is surplus, now that its client is known."""
        if client != self._clients.get(connection):
            self.release(connection)
            self._count(connection, client)
        return connection in self._surplus

    def release(self, connection: Limited) -> None:
        """Stop counting a connection that has ended or become a viewer's."""
        self._surplus.pop(connection, None)
        client = self._clients.pop(connection, None)
        if client is not None:
            self._quota.give_back(client)

    def _displace(self, connection: Limited) -> None:
        self.displaced += 1
        self.release(connection)
        connection.abort()
