"""Access: decides from the head of a request who may read, publish or command screens.

Browsers send an ``Origin``.  A page of a foreign origin may neither read nor publish.  The ``Host`` is
checked against DNS rebinding: an attacker's name that points to this machine would make his page "the
same origin".  With an address literal this attack is impossible.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from streamd.core.errors import Refused, shorten
from streamd.http.request import Request

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
_ORIGIN = re.compile(r"(https?)://([^/?#\s]{1,260})")
_DEFAULT_PORT = {"http": "80", "https": "443"}
FORWARDING = frozenset(
    ("forwarded", "via", "x-real-ip", "true-client-ip", "cf-connecting-ip", "x-client-ip")
)
"""Headers that only proxies send, besides x-forwarded-…: then the peer is not the client."""


class Tokens(NamedTuple):
    """The secrets that allow publishing, and those that allow commands to screens."""

    publish: tuple[str, ...] = ()
    admin: tuple[str, ...] = ()


NO_TOKENS = Tokens()


@dataclass(frozen=True)
class Access:
    """The rules of one daemon.

    :ivar tokens: the tokens for publishers and administrators.
    :ivar loopback: whether programs on this machine may publish without a token.
    :ivar origins: foreign origins that may read, such as ``https://intranet.example``.
    :ivar any_origin: whether every origin may read, also a page opened from disk.
    :ivar hosts: host names under which browsers may reach this daemon; address literals always may.
    """

    tokens: Tokens = NO_TOKENS
    loopback: bool = False
    origins: frozenset[str] = frozenset()
    any_origin: bool = False
    hosts: frozenset[str] = frozenset(("localhost",))

    def check_head(self, request: Request) -> None:
        """Refuse a malformed or forged request, before anything else reads it.

        :raises Refused: 400 for control bytes or a missing Host; 421 for an unknown Host.
        """
        for name, value in request.headers.items():
            if _CONTROL.search(value):
                raise Refused(400, "bad-request", f"control bytes in the header {shorten(name)}")
        if _CONTROL.search(request.path):
            raise Refused(404, "not-found", "there is nothing here")
        self._check_host(request.headers.get("host"), request.version)

    def _check_host(self, host: str | None, version: str) -> None:
        if host is None and version == "HTTP/1.0":
            return
        match = _HOST.fullmatch(host or "")
        if not match:
            raise Refused(400, "bad-request", "the Host header is missing or malformed")
        name = match[1].lower().rstrip(".")
        if name not in self.hosts and not _is_address(name):
            raise Refused(
                421,
                "unknown-host",
                f"this daemon does not know itself as {name}; if that name is its own, add under "
                f'[server] in streamd.toml: hosts = ["{name}"]',
            )

    def check_reader(self, headers: Mapping[str, str]) -> None:
        """Refuse a reader that is a page of a foreign origin.

        :raises Refused: 403; the message has the line of configuration to add.
        """
        origin = headers.get("origin")
        if origin is None or self.any_origin or self._is_own(origin, headers):
            return
        quoted = shorten(origin, 260)
        raise Refused(
            403,
            "foreign-origin",
            f"pages of the origin {quoted} may not read here; to let them, add under [server] in "
            f"streamd.toml: origins = [{quoted}]; or let the proxy in between pass the Host header",
        )

    def check_publisher(self, request: Request, token: str | None = None) -> None:
        """Refuse a publisher without a valid token; local programs may need none.

        :param token: a token from the body, for clients that send no ``Authorization`` header.
        :raises Refused: 401 without a valid token, 403 for a foreign origin.
        """
        bearer = self._bearer(request.headers)
        if bearer is None and not self.tokens.publish:
            token = None  # clients of Smashing always send a token; ignore it if none is configured
        token = token if bearer is None else bearer
        if token is not None:
            if not _is_one_of(token, self.tokens.publish):
                raise Refused(401, "bad-token", "this token may not publish here")
        elif not (self.loopback and _is_local(request)):
            raise Refused(
                401,
                "no-token",
                "publishing needs a token (Authorization: Bearer TOKEN), one of [access] publish "
                "in streamd.toml" + (", or a client on the same machine" if self.loopback else ""),
            )

    def check_admin(self, request: Request) -> None:
        """Refuse a command to screens without an admin token.

        :raises Refused: 401 without a valid token, 403 for a foreign origin.
        """
        token = self._bearer(request.headers)
        if token is None:
            raise Refused(
                401,
                "no-token",
                "commanding screens needs a token (Authorization: Bearer TOKEN), one of [access] "
                "admin in streamd.toml",
            )
        if not _is_one_of(token, self.tokens.admin):
            raise Refused(401, "bad-token", "this token may not command screens")

    def _bearer(self, headers: Mapping[str, str]) -> str | None:
        """Return the bearer token of a request that changes something, or None."""
        origin = headers.get("origin")
        if origin is not None and not self._is_own(origin, headers):
            raise Refused(403, "foreign-origin", "pages of other origins may only read here")
        credentials = headers.get("authorization")
        if credentials is None:
            return None
        scheme, _, token = credentials.partition(" ")
        if scheme.lower() != "bearer":
            raise Refused(401, "bad-token", "expected Authorization: Bearer TOKEN")
        # Headers are decoded as latin-1; the bytes of a token are UTF-8.
        return token.encode("latin-1", "replace").decode("utf-8", "replace")

    def _is_own(self, origin: str, headers: Mapping[str, str]) -> bool:
        return origin in self.origins or _same_host(origin, headers.get("host", ""))


def _is_one_of(token: str, tokens: Iterable[str]) -> bool:
    given = token.strip().encode("utf-8", "replace")
    # All tokens are compared, each in constant time, so that the duration reveals nothing about them.
    return sum(hmac.compare_digest(given, known.encode()) for known in tokens) > 0


def own_hosts(machine: str, configured: Iterable[str] = ()) -> frozenset[str]:
    """Return the names of a machine with the host name ``machine``, and the configured ones."""
    machine = machine.lower()
    short = machine.partition(".")[0]
    return frozenset(
        (
            "localhost",
            machine,
            short,
            f"{short}.local",
            *(n.lower().rstrip(".") for n in configured),
        )
    )


def normal_origin(origin: str) -> str:
    """Return an origin as browsers write it: in lower case, without the default port."""
    origin = origin.rstrip("/").lower()
    return origin.removesuffix(f":{_DEFAULT_PORT.get(origin.partition(':')[0])}")


def _same_host(origin: str, host: str) -> bool:
    match = _ORIGIN.fullmatch(origin)
    if not match:
        return False
    scheme, place = match[1], match[2].lower()
    default = ":" + _DEFAULT_PORT[scheme]
    return place.removesuffix(default) == host.lower().removesuffix(default)


@lru_cache(maxsize=256)
def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _is_local(request: Request) -> bool:
    """Return True for a request from a program on this machine, if it did not pass a proxy."""
    if request.version == "HTTP/1.0" or any(
        name in FORWARDING or name.startswith("x-forwarded-") for name in request.headers
    ):
        return False
    return _is_loopback(request.host)


@lru_cache(maxsize=256)
def _is_loopback(peer: str) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
