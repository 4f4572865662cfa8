"""Access: decides from the head of a request who may read, publish or command screens.

Browsers send an ``Origin``.  Only configured foreign origins are let in.  The ``Host`` is checked
against DNS rebinding: an attacker's name that points to this machine would make his page "the same
origin".  With an address literal this attack is impossible.

Every request that changes something asks :meth:`Access.check_change`, and nothing else decides it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from streamd.config.fields import DEFAULT_PORT, Origin
from streamd.core.errors import Refused, shorten
from streamd.http.client_address import read_address
from streamd.http.guesses import Guesses
from streamd.http.request import Request

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")

_is_of_proxy = lru_cache(maxsize=256)(
    re.compile(
        r".*(?:forward|prox[iy]|(?:client|remote|real|source)[-_]?(?:ip|addr|host|port|user|cert)).*"
        r"|x-(?:amzn|appengine|appgw|arr|azure|cloud|envoy|host|https?|nginx|original|scheme|sozu|ssl"
        r"|traefik|url-scheme|varnish).*"
        r"|(?:cf|fastly|fly|surrogate|tailscale)-.*|cdn-loop|front-end-https|via"
    ).fullmatch
)
"""Matches the names of headers that proxies add: then the peer is not the client."""


_PORT_OF_ONE_MACHINE = (
    "use a port of this machine alone (--port tcp:5000:interface=127.0.0.1), or a unix socket "
    "(--port unix:/run/streamd/socket)"
)


class Right(Enum):
    """The kinds of changes that a request can make.  Error texts contain the value."""

    PUBLISH = "publishing"
    COMMAND = "commanding screens"
    REPORT = "reporting a screen"


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
    :ivar any_port: whether they may do so on a port that other machines reach as well.
    :ivar only_unix: whether they may do so on unix sockets only, because a proxy is known.
    :ivar origins: foreign origins that may read, such as ``https://intranet.example``.
    :ivar publish_origins: foreign origins that may read and change.
    :ivar any_origin: whether every origin may read, also a page opened from disk.
    :ivar hosts: host names under which browsers may reach this daemon; address literals always may.
    :ivar guesses: the wrong tokens of each client.
    """

    tokens: Tokens = NO_TOKENS
    loopback: bool = False
    any_port: bool = False
    only_unix: bool = False
    origins: frozenset[str] = frozenset()
    publish_origins: frozenset[str] = frozenset()
    any_origin: bool = False
    hosts: frozenset[str] = frozenset(("localhost",))
    guesses: Guesses = field(default_factory=lambda: Guesses(lambda: 0.0))

    def check_head(self, request: Request) -> None:
        """Refuse a malformed or forged request, before anything else reads it.

        :raises Refused: 400 for control bytes or a missing Host; 421 for an unknown Host.
        """
        headers = request.headers
        if _CONTROL.search("".join(headers.values())):
            name = next(name for name, value in headers.items() if _CONTROL.search(value))
            raise Refused(400, "bad-request", f"control bytes in the header {shorten(name)}")
        if _CONTROL.search(request.path):
            raise Refused(404, "not-found", "there is nothing here")
        if "host" in request.headers or request.version != "HTTP/1.0":
            self._check_host(request.authority)

    def _check_host(self, authority: str) -> None:
        match = _HOST.fullmatch(authority)
        if not match:
            raise Refused(400, "bad-request", "the Host header is missing or malformed")
        name = match[1].lower().rstrip(".")
        if name not in self.hosts and read_address(name) is None:
            raise Refused(
                421,
                "unknown-host",
                f"this daemon does not know itself as {name}; if that name is its own, add under "
                f'[server] in streamd.toml: hosts = ["{name}"]',
            )

    def check_reader(self, request: Request) -> None:
        """Refuse a reader that is a page of a foreign origin.

        :raises Refused: 403; the message has the line of configuration to add.
        """
        origin = request.headers.get("origin")
        if origin is None or self.any_origin or _is_own(origin, request, or_tls=True):
            return
        if origin in self.origins or origin in self.publish_origins:
            return
        cure = _cure("origins", origin)
        if cure:
            cure += "; or let the proxy in between pass the Host header"
        raise Refused(
            403,
            "foreign-origin",
            f"pages of the origin {shorten(origin, 260)} may not read here{cure}",
        )

    def check_preflight(self, request: Request) -> None:
        """Refuse a CORS preflight of a page that may not send the request (Fetch standard).

        :raises Refused: 403, see :meth:`check_reader` and :meth:`check_change`.
        """
        if request.headers.get("access-control-request-method", "GET") in ("GET", "HEAD"):
            self.check_reader(request)
        else:
            self.check_page(request, Right.PUBLISH)

    def check_change(self, request: Request, right: Right, token: str | None = None) -> str:
        """Refuse a change unless the page and the token of the request allow it.

        A report of a screen needs no token.  Local programs may publish without one.

        :param token: a token from the body, for clients that send no ``Authorization`` header.
        :returns: who sent it: the place of the token in the configuration; empty without a token.
        :raises Refused: 401 without a valid token, 403 for a foreign origin.
        """
        self.check_page(request, right)
        if right is Right.REPORT:
            return ""
        known = self.tokens.publish if right is Right.PUBLISH else self.tokens.admin
        bearer = _bearer(request)
        if bearer is None and not known:
            token = None  # clients of Smashing always send a token; ignore it if none is configured
        token = token if bearer is None else bearer
        if token is None:
            self._check_without_token(request, right)
            return ""
        place = _place_of(token, known)
        if place is None:
            self.guesses.wrong(request.client.group, token)
            raise Refused(401, "bad-token", f"{right.value} is not allowed with this token")
        return str(place)

    def pause(self, request: Request) -> float:
        """Return the seconds for which a request has to wait before :meth:`check_change`."""
        try:
            token = _bearer(request)
        except Refused:  # what is no token is refused at once
            return 0.0
        if token is None and not request.path.startswith("/widgets/"):  # its token is in the body
            return 0.0
        return self.guesses.pause(request.client.group, token or "")

    def note(self, has_unix: bool, has_private: bool) -> str:
        """Return the log's line about publishing without a token; empty if the log needs none.

        :param has_unix: whether a port is a unix socket.
        :param has_private: whether a port is bound to a loopback address.
        """
        if not self.loopback:
            return ""
        if has_unix or self.any_port or (has_private and not self.only_unix):
            return (
                "programs on this machine may publish without a token; if a proxy runs here, list "
                "tokens in [access] publish: a proxy that adds no header looks like such a program"
            )
        return f'access.publish = "loopback" lets nobody publish here: {_PORT_OF_ONE_MACHINE}'

    def refusal(self, request: Request, right: Right) -> Refused | None:
        """Return the error with which :meth:`check_change` refuses a request, or None."""
        try:
            self.check_change(request, right)
        except Refused as refused:
            return refused
        return None

    def check_page(self, request: Request, right: Right) -> None:
        """Refuse pages of other origins, and the own host's pages with another scheme.

        This is the first part of :meth:`check_change`, for a request whose token is in its body.

        :raises Refused: 403; the message has the line of configuration to add.
        """
        origin = request.headers.get("origin")
        # A page with TLS at the own host shows the wall behind a proxy that is not trusted.
        if origin is None or _is_own(origin, request, or_tls=right is Right.REPORT):
            return
        if origin in self.publish_origins:
            return
        cure = _cure("publish_origins", origin)
        if _is_own(origin, request, or_tls=True):
            cure = (
                "; name the proxy that speaks TLS under [server] in streamd.toml: trusted_proxies"
            )
        raise Refused(
            403,
            "foreign-origin",
            f"{right.value} is not allowed to pages of the origin {shorten(origin, 260)}{cure}",
        )

    def _check_without_token(self, request: Request, right: Right) -> None:
        """Refuse a request without a token, unless it is a publish of a program on this machine.

        A proxy that adds no header and passes no Host looks like such a program.
        """
        key = "publish" if right is Right.PUBLISH else "admin"
        cure = ""
        if right is Right.PUBLISH and self.loopback:
            cure = self._why_not_local(request)
            if not cure:
                return
        raise Refused(
            401,
            "no-token",
            f"{right.value} needs a token (Authorization: Bearer TOKEN), one of [access] {key} in "
            f"streamd.toml{cure}",
        )

    def _why_not_local(self, request: Request) -> str:
        """Return why a request is not from a program on this machine; empty if it is."""
        forwarded = any(map(_is_of_proxy, request.headers))
        proxied = forwarded or request.proxied or request.relayed
        if proxied or request.version == "HTTP/1.0":
            return "; only programs that come through no proxy need none"
        if request.host == "":
            return ""  # a unix socket
        if not _is_loopback(request.host):
            return "; only programs on the daemon's machine need none"
        if self.only_unix:
            return "; with trusted_proxies only programs on a unix socket need none"
        if not _is_own_machine(request.authority):
            return "; only programs that address the daemon as localhost need none"
        if not (self.any_port or request.private):
            return f"; without one {_PORT_OF_ONE_MACHINE}"
        return ""


def _bearer(request: Request) -> str | None:
    """Return the bearer token of a request, or None."""
    credentials = request.headers.get("authorization")
    if credentials is None:
        return None
    scheme, _, token = credentials.partition(" ")
    if scheme.lower() != "bearer":
        raise Refused(401, "bad-token", "expected Authorization: Bearer TOKEN")
    # Headers are decoded as latin-1; the bytes of a token are UTF-8.
    return token.encode("latin-1", "replace").decode("utf-8", "replace")


def _place_of(token: str, tokens: Sequence[str]) -> int | None:
    """Return the index of a token, or None; the duration reveals nothing about the tokens.

    Their hashes are compared, because a comparison of texts reveals their lengths.
    """
    given = _hash(token.strip())
    found = [
        number for number, known in enumerate(tokens) if hmac.compare_digest(given, _hash(known))
    ]
    return found[0] if found else None


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


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


def sent_as(origins: Iterable[str]) -> frozenset[str]:
    """Return configured origins as browsers send them.

    Chromium sends ``file://`` with the WebSocket of a page opened from disk, and ``null`` otherwise.
    """
    known = frozenset(origins)
    return known | {"file://"} if "null" in known else known


def _cure(key: str, origin: str) -> str:
    """Return the line of configuration that admits an origin; empty if no line does."""
    try:
        named = Origin.parse("null" if origin == "file://" else origin)
    except ValueError:
        return ""
    if named == "null" and key == "publish_origins":
        return ""
    return f'; to let them, add under [server] in streamd.toml: {key} = ["{named}"]'


def _is_own(origin: str, request: Request, or_tls: bool) -> bool:
    """Return whether an origin is that of this daemon: scheme, host and port.

    :param or_tls: whether the same host with TLS counts, too: a proxy may add TLS.
    """
    scheme, _, place = origin.lower().partition("://")
    if scheme != request.scheme and not (or_tls and scheme == "https"):
        return False
    default = f":{DEFAULT_PORT.get(scheme, 0)}"
    return place.removesuffix(default) == request.authority.lower().removesuffix(default)


def _is_own_machine(authority: str) -> bool:
    """Return whether a Host is ``localhost`` or a loopback address, with or without a port."""
    match = _HOST.fullmatch(authority)
    name = match[1].lower().rstrip(".") if match else ""
    return name == "localhost" or _is_loopback(name)


def _is_loopback(address: str) -> bool:
    read = read_address(address)
    return read is not None and read.is_loopback
