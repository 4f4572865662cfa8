"""Quotas: bound how much of a limited resource one client address may hold.  Pure."""

from __future__ import annotations

from collections.abc import Callable

from streamd.core.errors import Refused

SHARE = 0.8
"""The part that one client address may hold.  The rest stays free for all other addresses."""


class Share:
    """The part of every limited resource that one client address may hold.

    All quotas of a daemon have one object, so that a new configuration changes one number.

    :ivar part: more than 0, at most 1.
    """

    def __init__(self, part: float = SHARE) -> None:
        self.part = part


class Quota:
    """Counts how much of a limited resource each client address holds.

    A smaller ``total`` or share takes nothing away from those who hold it.

    :ivar total: the amount that all addresses may hold together.
    :ivar used: the amount that all addresses hold together.
    """

    def __init__(self, total: int, share: Share | None = None) -> None:
        self.total = total
        self.used = 0
        self._share = share or Share()
        self._held: dict[str, int] = {}

    @property
    def each(self) -> int:
        """How much one address may hold: at least 1."""
        return max(1, int(self.total * self._share.part))

    def held(self, client: str) -> int:
        """Return how much an address holds."""
        return self._held.get(client, 0)

    def exceeds(self, client: str, amount: int = 1) -> bool:
        """Return whether this address would hold too much with ``amount`` more."""
        return self.held(client) + amount > self.each

    def has_room(self, client: str) -> bool:
        """Return whether there is more, and this address may hold it."""
        return self.used < self.total and not self.exceeds(client)

    def refusal(
        self,
        client: str,
        what: str,
        amount: int = 1,
        *,
        elsewhere: int = 0,
        own: int = 0,
        full: Callable[[], Refused] | None = None,
    ) -> Refused | None:
        """Return why an address gets no more, or None if there is room.

        The total is checked before the share of the address: if all is taken, a larger share does
        not help.

        :param client: the address; empty if it is not known.  Then only the total counts.
        :param what: the name of the resource, in the plural, for the error.
        :param elsewhere: how much of the total is taken and not counted here.
        :param own: how much of ``elsewhere`` the address holds.
        :param full: makes the error if the total is taken; None for the usual text.
        """
        if self.used + elsewhere + amount > self.total:
            return full() if full else Refused(503, "busy", f"there are too many {what}; try again")
        if client and self.exceeds(client, own + amount):
            return refuse_greedy(client, what)
        return None

    def check(self, client: str, amount: int, what: str) -> None:
        """Refuse an amount for which there is no room; see :meth:`refusal`.

        :param what: the name of the resource, in the plural.
        :raises Refused: 503 if all together, or this address, would hold too much.
        """
        refused = self.refusal(client, what, amount)
        if refused is not None:
            raise refused

    def take(self, client: str, amount: int = 1) -> None:
        """Count an amount that an address takes, even beyond its limit."""
        self.used += amount
        self._held[client] = self._held.get(client, 0) + amount

    def give_back(self, client: str, amount: int = 1) -> None:
        """Count an amount that an address no longer holds."""
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
