"""The link to a viewer whose socket stays open: has all left that was written, is anybody there."""

from __future__ import annotations

import socket
import struct
from typing import Any

from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import implementer

from streamd.core.catchup import Cursor
from streamd.core.update import ORIGIN
from streamd.hub.audience import Audience, Pieces
from streamd.hub.hub import Hub

SLOWEST = 2048
"""Bytes a second of the slowest reader that is waited for: a page on it is current within a minute."""

STALLED = 600.0
"""Seconds without a byte accepted after which a viewer that lags is given up."""

UNSENT = 64 * 1024
"""Bytes that the kernel may hold unsent for one viewer: one message.  More would be stale state."""


@implementer(IPushProducer, IPullProducer)
class Link:
    """What all viewers share that have a transport of their own; keeps the hub's promise.

    A mixin for a protocol: it uses ``transport`` and ``hub``.
    """

    # Together in memory: a broadcast looks at them in every viewer.
    __slots__ = (
        "_accepted",
        "_progress",
        "_pulls",
        "audience",
        "cursor",
        "ready",
        "slot",
        "ticked",
        "unsent",
    )

    transport: Any

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ready = True
        self.audience: Audience | None = None
        self.cursor = Cursor(ORIGIN, 0)
        self.unsent: Pieces | None = None
        self.ticked = True
        self.slot = 0
        self._pulls = False
        self._accepted = -1  # bytes that the peer had acknowledged at the last look
        self._progress = 0.0  # when that number last grew

    @property
    def hub(self) -> Hub:
        """The hub that serves this viewer."""
        raise NotImplementedError

    def take_transport(self) -> None:
        """Hear from the transport when what was written has left."""
        transport = self.transport
        # The HTTP channel is still what the transport tells about its buffer.
        transport.unregisterProducer()
        # A push producer hears only of more than 64 KiB that stayed behind; a pull producer hears
        # whenever all has left.  TLS would ask a pull producer in a loop, and pauses for more than
        # 64 KiB.  (bufferSize = 0 is no way: it is also how much is read at once.)
        self._pulls = not isinstance(transport, ProtocolWrapper)
        transport.registerProducer(self, not self._pulls)
        transport.setTcpKeepAlive(True)
        connection = getattr(transport, "socket", None)
        if connection is None or connection.family == socket.AF_UNIX:
            return
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)

    def write(self, data: bytes) -> None:
        """Send this."""
        self.ready = not self._pulls
        self.transport.write(data)

    def lose(self) -> None:
        """Drop the connection, now."""
        self.transport.abortConnection()

    def pauseProducing(self) -> None:
        """The transport has more than it likes."""
        self.ready = False

    def resumeProducing(self) -> None:
        """All has left."""
        self.ready = True
        self._accepted = -1
        self.hub.drained(self)

    def stopProducing(self) -> None:
        """The connection is gone."""
        self.ready = False

    def is_stalled(self, now: float) -> bool:
        """Whether a lagging viewer has not accepted a byte for too long; looked at now and then."""
        if self.ready:
            return False
        accepted = bytes_acknowledged(self.transport)
        if accepted != self._accepted:
            self._accepted, self._progress = accepted, now
        return now - self._progress > STALLED


def bytes_acknowledged(transport: Any) -> int:
    """How much the peer's system has taken so far.

    ``tcpi_bytes_acked`` of Linux, at byte 120 of tcp_info; 0 where there is none.
    """
    try:
        info = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
        return int(struct.unpack_from("=Q", info, 120)[0])
    except (OSError, AttributeError, struct.error):
        return 0
