"""Quotas: bound how much of a limited resource one client address may hold.  Pure."""

from __future__ import annotations

from streamd.core.errors import Refused

SHARE = 0.8
"""The part that one client address may hold.  The rest stays free for all other addresses."""


class Quota:
    """Counts how much of a limited resource each client address holds.

    :ivar total: how much there is.
    :ivar each: how much of it one address may hold: at least 1.
    :ivar used: how much is held.
    """

    def __init__(self, total: int, share: float = SHARE) -> None:
        self.total = total
        self.each = max(1, int(total * share))
        self.used = 0
        self._held: dict[str, int] = {}

    def held(self, client: str) -> int:
        """Return how much an address holds."""
        return self._held.get(client, 0)

    def exceeds(self, client: str, amount: int = 1) -> bool:
        """Return whether this address would hold too much with so much more."""
        return self.held(client) + amount > self.each

    def has_room(self, client: str) -> bool:
        """Return whether this address may hold more, and there is more."""
        return self.used < self.total and not self.exceeds(client)

    def check(self, client: str, amount: int, what: str) -> None:
        """Refuse an amount for which there is no room.

        :param what: what is counted, in the plural, for the error.
        :raises Refused: 503 if all together, or this address, would hold too much.
        """
        if self.used + amount > self.total:
            raise Refused(503, "busy", f"there are too many {what}; try again")
        if self.exceeds(client, amount):
            raise refuse_greedy(client, what)

    def take(self, client: str, amount: int = 1) -> None:
        """Count what an address takes, even beyond its limit."""
        self.used += amount
        self._held[client] = self._held.get(client, 0) + amount

    def give_back(self, client: str, amount: int = 1) -> None:
        """Count what an address no longer holds."""
        self.used -= amount
        self._held[client] -= amount
        if not self._held[client]:
            del self._held[client]


def refuse_greedy(client: str, what: str) -> Refused:
    """Return the error for an address that holds as much as one address may.

    :param what: the name of the resource, in the plural.
    """
    return Refused(
        503,
        "too-much-for-one-client",
        f"{client} has as many {what} as one client address may have; if it is the address of a "
        f'proxy, add under [server] in streamd.toml: trusted_proxies = ["{client}"]; or raise '
        "address_share",
    )
