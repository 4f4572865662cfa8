"""The address of a client: whether a forwarding header counts, and which of its entries.  Pure.

Everything that is counted or limited for each client uses :class:`ClientAddress`, so that only this
module decides which client sent a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

FORWARDED_FOR = "x-forwarded-for"

CLIENT_PREFIX = 64
"""Bits of an IPv6 address that identify a client: one client usually has a whole /64 (RFC 4291)."""

_WITH_PORT = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")
"""An entry with a port, which some proxies add: ``192.0.2.1:5000`` or ``[2001:db8::1]:5000``."""

Ip = IPv4Address | IPv6Address


@dataclass(frozen=True)
class ClientAddress:
    """The address of a client; as a text it has the form for logs.

    :ivar ip: the address; an IPv4-mapped IPv6 address counts as IPv4.  None for a unix socket.
    """

    ip: Ip | None = None

    @cached_property
    def is_loopback(self) -> bool:
        """True if the client has a loopback address of this machine."""
        return self.ip is not None and self.ip.is_loopback

    @cached_property
    def group(self) -> str:
        """The text under which the client is counted: its address, or its IPv6 network."""
        if isinstance(self.ip, IPv6Address) and not self.is_loopback:
            return str(IPv6Network((int(self.ip), CLIENT_PREFIX), strict=False))
        return str(self)

    @property
    def kind(self) -> str:
        """Return where the client is: ``unix``, ``loopback``, ``private`` or ``public``."""
        if self.ip is None or self.ip.is_loopback:
            return "unix" if self.ip is None else "loopback"
        return "private" if self.ip.is_private else "public"

    def __str__(self) -> str:
        return "unix" if self.ip is None else str(self.ip)


UNIX = ClientAddress()


class TrustedProxies:
    """The proxies whose ``X-Forwarded-For`` counts."""

    def __init__(
        self, networks: Iterable[IPv4Network | IPv6Network] = (), unix: bool = False
    ) -> None:
        """:param unix: whether peers on a unix socket are trusted proxies."""
        self._networks = tuple(networks)
        self._unix = unix

    @classmethod
    def of(cls, configured: Iterable[IPv4Network | IPv6Network | None]) -> TrustedProxies:
        """Return the proxies of these networks; None stands for the peers on unix sockets."""
        networks = [*configured]
        return cls((n for n in networks if n is not None), unix=None in networks)

    def __bool__(self) -> bool:
        """Return True if any proxy is trusted."""
        return bool(self._networks) or self._unix

    def trusts(self, address: ClientAddress) -> bool:
        """Return whether the address belongs to a trusted proxy."""
        if address.ip is None:
            return self._unix
        return any(address.ip in network for network in self._networks)

    def client(self, peer: str, forwarded: str | None) -> ClientAddress:
        """Return the address of the client that sent a request.

        The entries of the header are read from the last one on.  The first of them that is not a
        trusted proxy is the client: a client can invent only the entries before its own.  If all
        are trusted proxies, the leftmost is the client.  If an entry that is read is not an
        address, or the peer is not a trusted proxy, the peer is the client.

        :param peer: the peer's address; empty for a unix socket.
        :param forwarded: the header ``X-Forwarded-For``; repeated headers joined with commas.
        """
        client = read_address(peer) or UNIX
        if not forwarded or not self.trusts(client):
            return client
        for entry in filter(None, map(str.strip, reversed(forwarded.split(",")))):
            address = read_address(entry)
            if address is None:
                return read_address(peer) or UNIX
            client = address
            if not self.trusts(client):
                break
        return client


NO_PROXIES = TrustedProxies()


@lru_cache(maxsize=1024)
def read_address(text: str) -> ClientAddress | None:
    """Parse an address; return None for any other text.

    The zone of an IPv6 address is left out (RFC 4007, section 11): Python takes any text for one.
    """
    with_port = _WITH_PORT.fullmatch(text)
    address = (with_port[1] or with_port[2]) if with_port else text
    try:
        ip = ip_address(address.partition("%")[0] if ":" in address else address)
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return ClientAddress(mapped or ip)
