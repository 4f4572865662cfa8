"""The other end of an HTTP connection: who it is, and the requests that come from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from twisted.internet.interfaces import IAddress, ISSLTransport

from streamd.core.errors import Refused
from streamd.http.access.client_address import FORWARDED_FOR, UNIX, ClientAddress, read_address
from streamd.http.exchange import Answers
from streamd.http.request import Request
from streamd.reactor.private_twisted import is_relayed

_ABSOLUTE = re.compile(rb"^https?://([^/?]*)", re.IGNORECASE)
"""The scheme and host that a proxy may put before a request's path (RFC 9112, section 3.2.2)."""


class Peer:
    """The other end of a connection, which makes its requests.

    The common facts of its requests are found once, because each address costs a system call.

    :ivar address: the address of the peer.
    :ivar host: its IP address; empty for a unix socket.
    :ivar port: the address of the daemon's port.
    :ivar is_relayed: see :func:`~streamd.reactor.private_twisted.is_relayed`.  Then the addresses are
        those of a proxy until the first bytes have come.
    """

    def __init__(self, transport: Any, site: Answers) -> None:
        self.address: Any = transport.getPeer()
        self.port: IAddress = transport.getHost()
        self.is_relayed = is_relayed(transport)
        self._site = site
        self._proxies = site.proxies
        self.host = host = getattr(self.address, "host", "")
        self._common: dict[str, Any] = {
            "host": host,
            "proxied": self._is_proxy(),
            "relayed": self.is_relayed,
            "secure": ISSLTransport.providedBy(transport),
            "private": self.port in site.private,
        }

    def client(self, forwarded: str | None) -> ClientAddress:
        """Return the address of the client behind this peer; see ``TrustedProxies.client``.

        :param forwarded: the header ``X-Forwarded-For`` of the request.
        """
        return self._site.proxies.client(self.host, forwarded)

    @property
    def counted_as(self) -> str:
        """The address under which a new connection is counted; empty if it is that of a proxy."""
        return "" if self._is_proxy() else self.client(None).group

    def _is_proxy(self) -> bool:
        return self._site.proxies.trusts(read_address(self.host) or UNIX)

    def request(
        self, method: bytes, uri: bytes, version: bytes, headers: Mapping[str, str]
    ) -> Request:
        """Make a request from its head.

        :raises Refused: 400 if the request line cannot be read.
        """
        if self._proxies is not self._site.proxies:  # a reload may trust this peer no longer
            self._proxies = self._site.proxies
            self._common["proxied"] = self._is_proxy()
        if not uri.startswith(b"/"):
            uri = _without_host(uri, headers.get("host", ""))
        path, _, query = uri.partition(b"?")
        try:
            fields = parse_qsl(query.decode("latin-1"), True, max_num_fields=100) if query else ()
            return Request(
                method=method.decode("ascii"),
                path=unquote_to_bytes(path).decode(),
                query=dict(fields),
                headers=headers,
                version=version.decode("latin-1"),
                client=self.client(headers.get(FORWARDED_FOR)),
                **self._common,
            )
        except ValueError:
            raise Refused(400, "bad-request", "the request line is malformed") from None


def _without_host(uri: bytes, host: str) -> bytes:
    *absolute, target = _ABSOLUTE.split(uri, 1)
    if absolute and absolute[1].decode("latin-1").lower() != host.lower():
        raise Refused(400, "bad-request", "the target and the Host header name different hosts")
    return target
