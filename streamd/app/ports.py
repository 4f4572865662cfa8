"""Ports: turns the values of ``--port`` into Twisted's endpoint strings, and opens them."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import AdoptedStreamServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IOpenSSLContextFactory, IProtocolFactory
from zope.interface import implementer

from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError
from streamd.reactor.private_twisted import (
    inherited_descriptors,
    read_proxy_lines,
    send_whole_chain,
    set_tls_context,
    tls_context,
    tls_files,
    tls_port_number,
    with_absolute_files,
)

DEFAULT_PORT = "5000"

METRICS_PORT = "server.metrics_port"
"""The key of the port for the metrics, for error messages."""

BACKLOG = 4096
"""The most connections that wait to be accepted: with 50, the default, 2000 at once take a minute."""

UNSENT = 64 * 1024
"""Bytes that the kernel may hold unsent for one connection: one message for a viewer.  More would only
be outdated."""


def endpoint(port: str, key: str = "port") -> str:
    """Return the endpoint string for a value of ``--port``: a port number or an endpoint string.

    :param key: the name of the value in the error.
    :raises ConfigError: if the number is above 65535.
    """
    if not port.isdecimal():
        return port
    if len(port) > 5 or int(port) > 65535:  # Python converts no more than 4300 digits
        raise ConfigError([f"{key}: expected 0 to 65535, not {port}"])
    return default_port(int(port))


def default_port(number: int) -> str:
    """Return the endpoint of a port on all interfaces, for IPv6 and IPv4 if the system has both."""
    if socket.has_dualstack_ipv6() and sys.platform != "darwin":
        return rf"tcp6:{number}:interface=\:\::backlog={BACKLOG}"
    return f"tcp:{number}:backlog={BACKLOG}"


def inherited_ports() -> list[str]:
    """Return an endpoint string for each socket that systemd passes to this process.

    This is socket activation, sd_listen_fds(3).  The family of a socket is read from the socket itself,
    because ``ListenStream=5000`` is IPv6 only where the kernel has IPv6.
    """
    return [
        f"systemd:domain={_family_of(descriptor)}:index={index}"
        for index, descriptor in enumerate(inherited_descriptors())
    ]


def _family_of(descriptor: int) -> str:
    """Return the name of a socket's family without ``AF_``; the descriptor stays open."""
    with _copy_of(descriptor) as copy:
        return copy.family.name.removeprefix("AF_")


@contextmanager
def _copy_of(descriptor: int) -> Iterator[socket.socket]:
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        yield copy


@cache
def _inherited_by_number() -> dict[int, tuple[int, int]]:
    """Return the sockets that systemd passes, by their port: descriptor and address family.

    A TLS port takes the one with its number: a port below 1024 needs no privilege then, and stays open
    while the daemon restarts.  Twisted's ``systemd:`` has no TLS.  The result is kept from the first
    check of a port on, because an endpoint that listens closes its descriptor.
    """
    found: dict[int, tuple[int, int]] = {}
    for descriptor in inherited_descriptors():
        with _copy_of(descriptor) as copy:
            if copy.family != socket.AF_UNIX:
                found[copy.getsockname()[1]] = descriptor, copy.family
    return found


def _as_given(port: str) -> str:
    """Return a port as the user wrote it, for error messages: this reverses :func:`default_port`."""
    number = port.split(":")[1] if ":" in port else ""
    return number if number.isdecimal() and port == default_port(int(number)) else port


def address_of(opened: IListeningPort, port: str) -> str:
    """Return the address at which a browser on this machine opens a port.

    :param port: the port's endpoint string, which is the result for a Unix socket.
    """
    host: Any = opened.getHost()
    number = getattr(host, "port", None)
    if number is None:
        return port
    name = host.host.partition("%")[0]
    if ip_address(name).is_unspecified or ip_address(name).is_loopback:
        name = "localhost"
    name = f"[{name}]" if ":" in name else name
    return f"{'https' if port.startswith(('ssl:', 'tls:')) else 'http'}://{name}:{number}/"


def wall_address(opened: IListeningPort, port: str, public: str | None) -> str:
    """Return the text of the log about the address of the wall.

    :param public: ``[server] url``, the address for browsers; None if it is the address of the port.
    """
    own = address_of(opened, port)
    return own if public is None else f"{public}, for proxies at {own}"


def _set_options(port: socket.socket) -> None:
    """Set the options that all connections of a port get from its socket.

    Linux copies them to each connection (``tcp_create_openreq_child``).  To set them there takes three
    system calls for each of thousands of viewers that come at once.
    """
    if port.family == socket.AF_UNIX:
        return
    port.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    port.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        port.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)


class NotAFile(Exception):
    """A path of a TLS endpoint leads to something else than a regular file."""


def _make_endpoint(reactor: Any, port: str) -> Any:
    for file in tls_files(port).values():
        if Path(file).exists() and not Path(file).is_file():  # to open a named pipe could block
            raise NotAFile(f"{port}: {file} is not a regular file")
    made = serverFromString(reactor, port)
    send_whole_chain(made, port)
    read_proxy_lines(made)
    return made


def check_endpoint(reactor: Any, port: str, key: str = "port") -> None:
    """Raise a :class:`ConfigError` for an endpoint that Twisted does not know or cannot make.

    :param key: the key path of the endpoint, for the error.
    """
    with _readable(port, key):
        _make_endpoint(reactor, port)
    _inherited_by_number()


@contextmanager
def _readable(port: str, key: str = "port") -> Iterator[None]:
    """Turn every exception of the ``with`` block, which makes an endpoint, into a ConfigError."""
    try:
        yield
    except FileNotFoundError as error:
        problem = f"{port}: there is no file {error.filename}"
    except NotAFile as error:
        problem = str(error)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OSError) as error:
        problem = f"expected a number or an endpoint such as tcp:5000, not {port} ({error})"
    except ImportError:
        problem = needs_extra(port, "pyOpenSSL", "tls")
    except Exception as error:  # pyOpenSSL's errors have no base class of their own
        why = "it has no certificate in PEM" if str(error) == "[]" else error
        problem = f"the key or the certificate of {port} cannot be used: {why}"
    else:
        return
    raise ConfigError([f"{key}: {problem}"])


@implementer(IOpenSSLContextFactory)
class ServedCertificate:
    """The key and the certificate of a TLS port, as Twisted's context factory.

    They can be read again while the port is open.  Open connections keep the old key and
    certificate.
    """

    def __init__(self, reactor: Any, port: str, context: Any) -> None:
        """:param port: the endpoint string, whose paths start from the current folder.

        :param context: the context factory of its endpoint.
        """
        self._reactor = reactor
        self._port = with_absolute_files(port)
        self._context = context

    def read_again(self) -> None:
        """Read the files again, for new connections.

        :raises ConfigError: they cannot be used; then the old ones stay.
        """
        with _readable(self._port):
            context = tls_context(_make_endpoint(self._reactor, self._port))
            context.getContext()  # fails if the key is not that of the certificate
            self._context = context

    def getContext(self) -> Any:
        """Return pyOpenSSL's context for a new connection."""
        return self._context.getContext()


def listen(
    reactor: Any,
    port: str,
    factory: IProtocolFactory,
    key: str = "port",
    certificates: list[ServedCertificate] | None = None,
) -> IListeningPort:
    """Open a port.

    :param port: an endpoint string.
    :param key: the name of the port in the error.
    :param certificates: gets the certificate of a TLS port.
    :raises ConfigError: the message has the reason, such as an address in use.
    """
    outcome: list[Any] = []
    made = _make_endpoint(reactor, port)
    context = tls_context(made)
    if context is not None:
        from twisted.protocols.tls import TLSMemoryBIOFactory  # needs pyOpenSSL

        certificate = ServedCertificate(reactor, port, context)
        set_tls_context(made, certificate)
        if certificates is not None:
            certificates.append(certificate)
        passed = _inherited_by_number().get(tls_port_number(port))
        if passed is not None:
            made = AdoptedStreamServerEndpoint(reactor, *passed)
            factory = TLSMemoryBIOFactory(certificate, isClient=False, wrappedFactory=factory)
    # Every server endpoint of Twisted listens, or fails, at once.
    made.listen(factory).addBoth(outcome.append)
    opened = outcome[0] if outcome else None
    if IListeningPort.providedBy(opened):
        _set_options(opened.socket)  # type: ignore[attr-defined]  # every port of Twisted has one
        return opened
    reason = opened.value if opened is not None else "it does not open at once"
    if isinstance(reason, CannotListenError):
        reason = reason.socketError
    raise ConfigError([f"{key}: cannot listen on {_as_given(port)}: {reason}"])
