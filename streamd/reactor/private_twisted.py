"""All private parts of Twisted that streamd uses, each with the reason.

No other module may use one.  If a new version of Twisted lacks a part,
``tests/reactor/test_private_twisted.py`` fails and names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import _parse
from twisted.internet.tcp import Connection
from twisted.logger import globalLogPublisher
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper
from twisted.protocols.policies import ProtocolWrapper
from twisted.web.http import HTTPChannel


class OpenChannel(HTTPChannel):
    """``twisted.web``'s HTTP connection, opened for a subclass that has its own bounds."""

    transport: Any
    callLater: Any  # HTTPFactory.buildProtocol sets it: the reactor whose clock is ours

    def has_more(self) -> bool:
        """Return True if bytes were received but not parsed yet, because parsing is paused.

        This reads ``LineReceiver._buffer``: the public ``clearLineBuffer`` would empty it.
        """
        return bool(self._buffer)

    def request_line(self) -> tuple[bytes, bytes, bytes]:
        """Return the method, the target and the version of the request whose head has arrived.

        This reads ``HTTPChannel._command``, ``_path`` and ``_version``: Twisted passes them on only
        with the whole body.
        """
        return self._command, self._path, self._version

    def refuse_malformed(self) -> None:
        """Answer a malformed request; a subclass may give a better answer than Twisted."""
        super()._respondToBadRequestAndDisconnect()

    def _respondToBadRequestAndDisconnect(self) -> None:
        # Twisted answers malformed requests in this method, and has no public hook for it.  Its answer
        # has no headers and no body.  It also closes with unread input, which resets the connection.
        self.refuse_malformed()


def give_transport(transport: Any, protocol: Any) -> None:
    """Connect a transport that had a protocol to another protocol.

    ``protocol`` and ``wrappedProtocol`` (TLS) are public attributes.  It is not documented that they
    may be replaced.  It works because a transport looks up its protocol for each event.
    """
    if isinstance(transport, ProtocolWrapper):
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)


def is_relayed(transport: Any) -> bool:
    """Return whether a proxy tells the addresses of a connection (PROXY protocol, ``haproxy:``).

    The client may be anywhere, even if ``getPeer`` returns a loopback address or a unix socket: any
    client of such a port can claim an address.
    """
    return isinstance(transport, HAProxyProtocolWrapper)


def direct_send(transport: Any) -> Callable[[bytes], int] | None:
    """Return the ``send`` of a plain transport's socket; None for TLS, or while bytes wait to be sent.

    Waiting bytes are in ``FileDescriptor.dataBuffer`` and ``_tempDataBuffer``.  Bytes that go straight
    to the socket would overtake them.
    """
    if not isinstance(transport, Connection):
        return None
    waits = transport.dataBuffer or transport._tempDataBuffer
    return None if waits else transport.socket.send


def log_observers() -> list[Any]:
    """Return the list of observers of the global log; the caller may change the list.

    This reads ``LogPublisher._observers``: twistd adds its observer between ``makeService`` and
    ``startService``, and has no hook for a filter.
    """
    return globalLogPublisher._observers


def send_whole_chain(endpoint: Any, description: str) -> None:
    """Make a TLS endpoint send every certificate of its file, as ``fullchain.pem`` has several.

    Twisted sends only the first one.  It reads the others from a second file, ``extraCertChain``.
    ``SSL4ServerEndpoint._sslContextFactory`` is the public ``CertificateOptions`` of the endpoint, and
    ``_parse`` splits its description.

    :param description: the endpoint string; an endpoint of another kind is unchanged.
    :raises Exception: pyOpenSSL cannot read a certificate.
    """
    options = getattr(endpoint, "_sslContextFactory", None)
    if options is None or options.extraCertChain:
        return
    from twisted.internet.ssl import Certificate

    values, named = _parse(description)
    named = {**dict(zip(("ssl", "port", "privateKey", "certKey"), values, strict=False)), **named}
    file = Path(named.get("certKey") or named.get("privateKey") or "server.pem")
    form = rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----"
    others = re.findall(form, file.read_bytes(), re.DOTALL)[1:]
    options.extraCertChain = [Certificate.loadPEM(pem).original for pem in others]
