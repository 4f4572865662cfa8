"""Local programs: whether a request is from this machine, and came through no proxy.  Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamd.http.access.client_address import read_address
from streamd.http.access.proxies import is_of_proxy
from streamd.http.request import Request

AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
"""A Host header: a name or an address, and perhaps a port."""


_UNIX_SOCKET = "a unix socket (--port unix:/run/streamd/socket)"
_PORT_OF_ONE_MACHINE = (
    f"use a port of this machine alone (--port tcp:5000:interface=127.0.0.1), or {_UNIX_SOCKET}"
)
_WITH_PROXY = f"with trusted_proxies or url, list tokens in its place, or use {_UNIX_SOCKET}"


@dataclass(frozen=True)
class LocalPrograms:
    """The rights that one configuration gives to programs on this machine without a token.

    :ivar publish: whether they may publish.
    :ivar any_port: whether they may also publish on a port that other machines reach.
    :ivar only_unix: whether only programs on a unix socket count, because a proxy is configured.
    """

    publish: bool = False
    any_port: bool = False
    only_unix: bool = False

    def note(self, has_unix: bool, has_private: bool) -> str:
        """Return the log's line about publishing without a token; empty if the log needs none.

        :param has_unix: whether a port is a unix socket.
        :param has_private: whether a port is bound to a loopback address.
        """
        if not self.publish:
            return ""
        if has_unix or self.any_port or (has_private and not self.only_unix):
            return (
                "programs on this machine may publish without a token; if a proxy runs here, list "
                "tokens in [access] publish: a proxy that adds no header looks like such a program"
            )
        cure = _WITH_PROXY if self.only_unix else _PORT_OF_ONE_MACHINE
        return f'access.publish = "loopback" lets nobody publish here: {cure}'

    def why_no_publish(self, request: Request) -> str:
        """Return why a request may not publish without a token; empty if it may."""
        why = why_not_of_machine(request, self.only_unix)
        if not why and not (request.host == "" or self.any_port or request.private):
            return f"; without one {_PORT_OF_ONE_MACHINE}"
        return why


def why_not_of_machine(request: Request, only_unix: bool) -> str:
    """Return why a request is not from a program on this machine; empty if it is.

    A proxy that adds no header, and does not pass the client's Host on, looks like such a program.

    :param only_unix: whether only programs on a unix socket count, because a proxy is configured.
    """
    forwarded = any(map(is_of_proxy, request.headers))
    proxied = forwarded or request.proxied or request.relayed
    if proxied or request.version == "HTTP/1.0":
        return "; only programs that come through no proxy need none"
    if request.host == "":
        return ""  # a unix socket
    if not _is_loopback(request.host):
        return "; only programs on the daemon's machine need none"
    if only_unix:
        return "; with trusted_proxies or url only programs on a unix socket need none"
    if not _is_own_machine(request.authority):
        return "; only programs that address the daemon as localhost need none"
    return ""


def _is_own_machine(authority: str) -> bool:
    """Return whether a Host is ``localhost`` or a loopback address, with or without a port."""
    match = AUTHORITY.fullmatch(authority)
    name = match[1].lower().rstrip(".") if match else ""
    return name == "localhost" or _is_loopback(name)


def _is_loopback(address: str) -> bool:
    read = read_address(address)
    return read is not None and read.is_loopback
