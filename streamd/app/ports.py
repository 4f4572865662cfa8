"""Ports: turns the values of ``--port`` into Twisted's endpoint strings, and opens them."""

from __future__ import annotations

import socket
import sys
from ipaddress import ip_address
from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError
from streamd.reactor.private_twisted import send_whole_chain

DEFAULT_PORT = "5000"

BACKLOG = 4096
"""The most connections that wait to be accepted: with 50, the default, 2000 at once take a minute."""


def endpoint(port: str) -> str:
    """Return the endpoint string for a value of ``--port``: a port number or an endpoint string.

    :raises ConfigError: if the number is above 65535.
    """
    if not port.isdecimal():
        return port
    if len(port) > 5 or int(port) > 65535:  # Python converts no more than 4300 digits
        raise ConfigError([f"port: expected 0 to 65535, not {port}"])
    return default_port(int(port))


def default_port(number: int) -> str:
    """Return the endpoint of a port on all interfaces, for IPv6 and IPv4 if the system has both."""
    if socket.has_dualstack_ipv6() and sys.platform != "darwin":
        return rf"tcp6:{number}:interface=\:\::backlog={BACKLOG}"
    return f"tcp:{number}:backlog={BACKLOG}"


def _as_given(port: str) -> str:
    """Return a port as the user wrote it, for error messages: this reverses :func:`default_port`."""
    number = port.split(":")[1] if ":" in port else ""
    return number if number.isdecimal() and port == default_port(int(number)) else port


def address_of(opened: IListeningPort, port: str) -> str:
    """Return the address at which a browser on this machine opens a port.

    :param port: its endpoint string, which is returned for a socket without a number.
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


def _make_endpoint(reactor: Any, port: str) -> Any:
    made = serverFromString(reactor, port)
    send_whole_chain(made, port)
    return made


def check_endpoint(reactor: Any, port: str) -> None:
    """Raise a :class:`ConfigError` for an endpoint that Twisted does not know or cannot make."""
    try:
        _make_endpoint(reactor, port)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OSError) as error:
        problem = f"expected a number or an endpoint such as tcp:5000, not {port} ({error})"
    except ImportError:
        problem = needs_extra(port, "pyOpenSSL", "tls")
    except Exception as error:  # pyOpenSSL's errors have no base class of their own
        problem = f"the key or the certificate of {port} cannot be used: {error}"
    else:
        return
    raise ConfigError([f"port: {problem}"])


def listen(reactor: Any, port: str, factory: IProtocolFactory) -> IListeningPort:
    """Open a port.

    :param port: an endpoint string.
    :raises ConfigError: the message has the reason, such as an address in use.
    """
    outcome: list[Any] = []
    # Every server endpoint of Twisted listens, or fails, at once.
    _make_endpoint(reactor, port).listen(factory).addBoth(outcome.append)
    opened = outcome[0] if outcome else None
    if IListeningPort.providedBy(opened):
        return opened
    reason = opened.value if opened is not None else "it does not open at once"
    if isinstance(reason, CannotListenError):
        reason = reason.socketError
    raise ConfigError([f"port: cannot listen on {_as_given(port)}: {reason}"])
