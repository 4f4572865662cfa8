"""All private parts of Twisted that streamd uses, each with the reason why.

No other module may use one.  ``tests/reactor/test_private_twisted.py`` names the part that a new
version of Twisted no longer has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.tcp import Connection
from twisted.logger import globalLogPublisher
from twisted.protocols.policies import ProtocolWrapper
from twisted.web.http import HTTPChannel


class OpenChannel(HTTPChannel):
    """``twisted.web``'s side of an HTTP connection, for a subclass that keeps its own bounds."""

    transport: Any
    callLater: Any  # HTTPFactory.buildProtocol sets it: the reactor whose clock is ours

    def has_more(self) -> bool:
        """Return True if something was received and not parsed, because parsing is paused.

        ``LineReceiver._buffer``: the public way to see it, ``clearLineBuffer``, takes it away.
        """
        return bool(self._buffer)

    def refuse_malformed(self) -> None:
        """Answer a request that cannot be read; a subclass may say more than Twisted."""
        super()._respondToBadRequestAndDisconnect()

    def _respondToBadRequestAndDisconnect(self) -> None:
        # Twisted answers what it cannot parse here, and has no public place for another answer.  Its
        # own has no headers and no body, and closes over unread input, which resets the connection.
        self.refuse_malformed()


def give_transport(transport: Any, protocol: Any) -> None:
    """Connect a transport that had a protocol to another protocol.

    Both names are public, but that they may be replaced is not: a transport looks its protocol up for
    each event.  ``wrappedProtocol`` is TLS's.
    """
    if isinstance(transport, ProtocolWrapper):
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)


def direct_send(transport: Any) -> Callable[[bytes], int] | None:
    """The ``send`` of a plain transport's socket; None for TLS, or while anything waits to be sent.

    ``FileDescriptor.dataBuffer`` and ``_tempDataBuffer`` hold what waits: bytes that go straight to the
    socket would overtake it.
    """
    if not isinstance(transport, Connection):
        return None
    waits = transport.dataBuffer or transport._tempDataBuffer
    return None if waits else transport.socket.send


def log_observers() -> list[Any]:
    """The observers of the global log, to be replaced in place.

    ``LogPublisher._observers``: twistd adds its observer between ``makeService`` and ``startService``,
    and offers no place for a filter in between.
    """
    return globalLogPublisher._observers
