"""Origins and hosts: which pages may read and change, and which names the daemon has.  Pure.

Browsers send an ``Origin``.  Only configured foreign origins are let in.  The ``Host`` is checked
against DNS rebinding: an attacker's name that points to this machine would make his page "the same
origin".  With an address literal this attack is impossible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from streamd.config.fields import DEFAULT_PORT, Origin
from streamd.core.errors import Refused, shorten
from streamd.http.access.client_address import read_address
from streamd.http.access.local_program import AUTHORITY
from streamd.http.access.proxies import HOST
from streamd.http.request import Request

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Right(Enum):
    """The kinds of changes that a request can make.  Error texts contain the value."""

    PUBLISH = "publishing"
    COMMAND = "commanding screens and alerts"
    GRANT = "letting screens and guests in"
    REPORT = "reporting a screen"


@dataclass(frozen=True)
class Origins:
    """The pages and names that one configuration lets in.

    :ivar reading: foreign origins that may read, such as ``https://intranet.example``.
    :ivar changing: origins that may read and change: foreign ones, and the public address.
    :ivar public: the origin of the public address; empty if it is not configured.
    :ivar any: whether every origin may read, also a page opened from disk.
    :ivar hosts: host names under which browsers may reach this daemon; IP addresses are always
        allowed.
    """

    reading: frozenset[str] = frozenset()
    changing: frozenset[str] = frozenset()
    public: str = ""
    any: bool = False
    hosts: frozenset[str] = frozenset(("localhost",))

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
            self.check_host(request.authority)

    def check_host(self, authority: str) -> None:
        """Refuse a request for another host: the second part of :meth:`check_head`.

        :param authority: the host, perhaps with a port, by which the client addresses this daemon.
        :raises Refused: 400 for a missing or malformed Host; 421 for an unknown one.
        """
        match = AUTHORITY.fullmatch(authority)
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
        if origin is None or self.any or is_own(origin, request, or_tls=True):
            return
        if origin in self.reading or origin in self.changing:
            return
        cure = _cure("origins", origin)
        if cure:
            cure += f"; or let the proxy in between pass the Host header (nginx: {HOST.nginx})"
        raise Refused(
            403,
            "foreign-origin",
            f"pages of the origin {shorten(origin, 260)} may not read here{cure}",
        )

    def is_own(self, request: Request, or_tls: bool) -> bool:
        """Return whether a request has the origin of this daemon, as browsers send it.

        :param or_tls: whether the same host with TLS counts, too.
        """
        origin = request.headers.get("origin", "")
        return bool(origin) and (origin == self.public or is_own(origin, request, or_tls))

    def check_preflight(self, request: Request) -> None:
        """Refuse a CORS preflight of a page that may not send the request (Fetch standard).

        :raises Refused: 403, see :meth:`check_reader` and :meth:`check_page`.
        """
        if request.headers.get("access-control-request-method", "GET") in ("GET", "HEAD"):
            self.check_reader(request)
        else:
            self.check_page(request, Right.PUBLISH)

    def check_page(self, request: Request, right: Right) -> None:
        """Refuse pages of other origins; a page of this host with another scheme may only report.

        :raises Refused: 403; the message has the line of configuration to add.
        """
        origin = request.headers.get("origin")
        # A page with TLS at this host shows the wall behind a proxy that is not trusted.
        if origin is None or is_own(origin, request, or_tls=right is Right.REPORT):
            return
        if origin in self.changing:
            return
        cure = _cure("publish_origins", origin)
        if is_own(origin, request, or_tls=True):
            cure = (
                "; name the proxy that speaks TLS under [server] in streamd.toml: trusted_proxies"
            )
        raise Refused(
            403,
            "foreign-origin",
            f"{right.value} is not allowed to pages of the origin {shorten(origin, 260)}{cure}",
        )


def own_hosts(machine: str, configured: Iterable[str] = ()) -> frozenset[str]:
    """Return the names of this machine, whose host name is ``machine``, and the configured ones."""
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


def is_own(origin: str, request: Request, or_tls: bool) -> bool:
    """Return whether an origin (scheme, host and port) is this daemon's.

    :param or_tls: whether the same host with TLS counts, too: a proxy may add TLS.
    """
    scheme, _, place = origin.lower().partition("://")
    if scheme != request.scheme and not (or_tls and scheme == "https"):
        return False
    default = f":{DEFAULT_PORT.get(scheme, 0)}"
    return place.removesuffix(default) == request.authority.lower().removesuffix(default)
