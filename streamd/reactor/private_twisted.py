"""All private parts of Twisted that streamd uses, each with the reason.

No other module may use one.  If a new version of Twisted lacks a part,
``tests/reactor/test_private_twisted.py`` fails and names it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import _parse, _SystemdParser, quoteStringArgument
from twisted.internet.tcp import Connection
from twisted.logger import FileLogObserver, Logger, globalLogPublisher
from twisted.protocols.haproxy._exceptions import InvalidProxyHeader
from twisted.protocols.haproxy._info import ProxyInfo
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper, HAProxyWrappingFactory
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

    ``protocol`` and ``wrappedProtocol`` (TLS) are public attributes.  Twisted does not document
    that they may be replaced.  This works because a transport looks up its protocol for each event.
    """
    if isinstance(transport, ProtocolWrapper):
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)


def is_relayed(transport: Any) -> bool:
    """Return whether a proxy sends the addresses of a connection (PROXY protocol, ``haproxy:``).

    The client may be anywhere, even if ``getPeer`` returns a loopback address or a unix socket: any
    client of such a port can claim an address.
    """
    return isinstance(transport, HAProxyProtocolWrapper)


class ProxyLine(V1Parser):
    """Reads the first line of version 1 of the PROXY protocol.

    Twisted's parser raises ValueError for some malformed lines, and takes any text for an address.
    It refuses ``PROXY UNKNOWN`` without addresses, which proxies send with their own checks.
    """

    @classmethod
    def parse(cls, line: bytes) -> ProxyInfo:
        """Return the addresses in a line.

        :raises InvalidProxyHeader: the line is malformed; the connection is closed then.
        """
        if line == b"PROXY UNKNOWN":
            return ProxyInfo(line, None, None)
        try:
            info = super().parse(line)
            for told in (info.source, info.destination):
                if told is not None:
                    ip_address(told.host)  # type: ignore[attr-defined]  # a line has no unix sockets
        except ValueError:
            raise InvalidProxyHeader from None
        return info


class RelayedConnection(HAProxyProtocolWrapper):
    """A connection that begins with the PROXY protocol; it sets ``HAProxyProtocolWrapper._parser``.

    Twisted's wrapper closes a connection without that, and says nothing.
    """

    _log = Logger()

    def dataReceived(self, data: bytes) -> None:
        if self.disconnecting:
            return
        if self._parser is None and data.startswith(ProxyLine.PROXYSTR):
            self._parser = ProxyLine()
        super().dataReceived(data)
        if self.disconnecting and self._proxyInfo is None:
            assert self.transport is not None
            self._log.warn(
                "closed a connection from {peer}: it does not begin with the PROXY protocol",
                peer=getattr(self.transport.getPeer(), "host", "a local program"),
            )


class RelayedConnections(HAProxyWrappingFactory):
    """Makes the connections of a port for the PROXY protocol."""

    protocol = RelayedConnection  # type: ignore[assignment]  # by design


def read_proxy_lines(endpoint: Any) -> None:
    """Make a ``haproxy:`` endpoint read its connections with :class:`ProxyLine`.

    This sets ``_WrapperServerEndpoint._wrapperFactory``.  Other endpoints are unchanged.
    """
    if getattr(endpoint, "_wrapperFactory", None) is HAProxyWrappingFactory:
        endpoint._wrapperFactory = RelayedConnections


def direct_send(transport: Any) -> Callable[[bytes], int] | None:
    """Return ``send`` of a transport's socket; None for TLS, or while bytes wait to be sent.

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


def inherited_descriptors() -> list[int]:
    """Return the descriptors of the sockets that systemd passes to this process.

    Twisted removes ``$LISTEN_FDS`` when ``twisted.internet.endpoints`` is imported, and keeps the
    descriptors in ``_SystemdParser._sddaemon``.
    """
    return list(_SystemdParser._sddaemon.inheritedDescriptors())


def is_file_observer(observer: Any) -> bool:
    """Return whether an observer writes to a file, or to the standard output, as text."""
    return isinstance(observer, FileLogObserver)


def swap_stdout(observer: Any, make: Callable[[], Any]) -> bool:
    """Redirect an observer of the standard output to another file; return whether it was one.

    This sets ``FileLogObserver._outFile``: twistd makes the observer, and takes no file for it.

    :param make: makes the other file.
    """
    if observer._outFile is not sys.__stdout__:
        return False
    observer._outFile = make()
    return True


def send_whole_chain(endpoint: Any, description: str) -> None:
    """Make a TLS endpoint send every certificate of its file: a ``fullchain.pem`` has several.

    Twisted sends only the first one.  It reads the others from a second file, ``extraCertChain``.
    ``SSL4ServerEndpoint._sslContextFactory`` is the public ``CertificateOptions`` of the endpoint, and
    ``_parse`` splits its description.

    :param description: the endpoint string; an endpoint of another kind is unchanged.
    :raises Exception: pyOpenSSL cannot read a certificate.
    """
    options = tls_context(endpoint)
    if options is None or options.extraCertChain:
        return
    from twisted.internet.ssl import Certificate

    named = _named(description)
    file = Path(named.get("certKey") or named.get("privateKey") or _DEFAULT_KEY)
    form = rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----"
    others = re.findall(form, file.read_bytes(), re.DOTALL)[1:]
    options.extraCertChain = [Certificate.loadPEM(pem).original for pem in others]


_DEFAULT_KEY = "server.pem"
"""The file with key and certificate if a description names none: the default of ``_parseSSL``."""


def _named(description: str) -> dict[str, str]:
    """Return the options of a TLS endpoint by name, also those that are given by their places."""
    values, named = _parse(description)
    return {**dict(zip(("ssl", "port", "privateKey", "certKey"), values, strict=False)), **named}


def tls_port_number(description: str) -> int:
    """Return the number of the port of a TLS endpoint."""
    return int(_named(description)["port"])


def tls_context(endpoint: Any) -> Any:
    """Return the context factory of a TLS endpoint; None for an endpoint without TLS.

    ``SSL4ServerEndpoint._sslContextFactory`` has no public name.
    """
    return getattr(endpoint, "_sslContextFactory", None)


def set_tls_context(endpoint: Any, context: Any) -> None:
    """Give a TLS endpoint another context factory, before it listens."""
    endpoint._sslContextFactory = context


def tls_files(description: str) -> dict[str, str]:
    """Return the files of a TLS endpoint by the names of its options; empty without TLS."""
    description = description.removeprefix("haproxy:")
    if not description.startswith("ssl:"):
        return {}
    named = {"privateKey": _DEFAULT_KEY, **_named(description)}
    options = ("privateKey", "certKey", "extraCertChain", "dhParameters")
    return {key: named[key] for key in options if key in named}


def with_absolute_files(description: str) -> str:
    """Return the description of a TLS endpoint with absolute paths: the daemon changes its folder."""
    named = _named(description)
    named.pop("ssl")
    port = named.pop("port")
    named |= {key: str(Path(file).absolute()) for key, file in tls_files(description).items()}
    options = (f"{key}={quoteStringArgument(value)}" for key, value in named.items())
    return ":".join(["ssl", port, *options])
