"""The link to a viewer whose connection stays open: notices when its socket is full and has drained."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import implementer

from streamd.core.cursor import Cursor
from streamd.core.update import ORIGIN
from streamd.hub.audience import Audience, Pieces
from streamd.hub.hub import Hub
from streamd.hub.seats import Seat
from streamd.wire.encoding import MAX_MESSAGE, PIECE

SLOWEST = 2048
"""Bytes a second of the slowest viewer that is kept: such a connection loads a page in a minute."""

STALLED = 600.0
"""Seconds after which a lagging viewer is dropped if its system has acknowledged no byte."""

CROWDED = 20.0
"""The same, while the viewers of its address or of all leave too much unread."""

FIRST = 16 * 1024
"""Bytes of the first messages that leave together, with the answer to the handshake before them.
A viewer with more to get is served on when these were sent."""

WAITING_PIECES = 3
"""The pieces of a long message that are made or being made while another one is in the transport."""


@implementer(IPushProducer, IPullProducer)
class Link:
    """The hub's view of a viewer with a Twisted transport.

    This is a mixin for a protocol: it uses ``transport``, ``hub`` and ``seat``.

    :ivar unread: the bytes that it holds for a viewer that has not read them, as its seat counts them.
    :ivar slot: see :class:`~streamd.hub.sweep.Sweep`.
    :ivar why: why its connection was closed here, for the log; empty if the viewer left.
    """

    # Slots lie together in memory, and a broadcast reads them for every viewer.
    __slots__ = (
        "_accepted",
        "_first",
        "_progress",
        "_pulls",
        "audience",
        "cursor",
        "ready",
        "slot",
        "ticked",
        "unread",
        "unsent",
    )

    transport: Any
    seat: Seat
    why = ""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ready = True
        self.audience: Audience | None = None
        self.cursor = Cursor(ORIGIN, 0)
        self.unsent: Pieces | None = None
        self.ticked = True
        self.slot = 0
        self.unread = 0
        self._pulls = False
        self._first: list[bytes] | None = None  # what is to leave together
        self._accepted = -1  # bytes that the peer had acknowledged at the last look
        self._progress = 0.0  # the time at which that number last grew

    @property
    def hub(self) -> Hub:
        """The hub that serves this viewer."""
        raise NotImplementedError

    def take_transport(self) -> None:
        """Register with the transport, so that it reports when everything written was sent."""
        transport = self.transport
        # The HTTP channel is still registered.
        transport.unregisterProducer()
        # TCP calls a push producer only if more than 64 KiB were waiting, but a pull producer always
        # when all bytes are sent.  TLS would call a pull producer in a loop, and pauses a push producer
        # if more than 64 KiB wait.  (bufferSize = 0 would help, but it is also the size of a read.)
        self._pulls = not isinstance(transport, ProtocolWrapper)
        transport.registerProducer(self, not self._pulls)

    def begin_together(self, answer: bytes, begin: Callable[[], None]) -> None:
        """Send the answer to the handshake and the first messages together, and soon.

        Many viewers come in one turn of the reactor, and each send wakes a reader: sends that follow
        each other cost less than sends among other work.

        :param answer: the answer to the handshake.
        :param begin: writes the first messages.
        """
        if not self._pulls:  # TLS keeps what it is given by itself
            self.write(answer)
            begin()
            return
        self._first = [answer]
        begin()
        self.hub.turn_end.call(self.send_first)

    def send_first(self) -> None:
        """Send the first messages, if they still wait."""
        first, self._first = self._first, None
        if first is None:
            return
        data = b"".join(first)
        if self.ready:
            self.write(data)
        else:
            self._pass_on(data)  # the transport reports when it was sent, and the rest follows

    def write(self, data: bytes) -> None:
        """Send these bytes."""
        if self._first is None:
            self._pass_on(data)
        else:
            self._first.append(data)
            self.ready = self.ready and sum(map(len, self._first)) <= FIRST

    def _pass_on(self, data: bytes) -> None:
        if self._pulls:
            self._hold(len(data))
            self.ready = self.ready and not self.unread
        self.transport.write(data)

    def _hold(self, size: int) -> None:
        """Count bytes that the transport keeps, with the pieces of a long message that follow."""
        if self.unsent:
            size += WAITING_PIECES * PIECE
        self.unread += size
        self.hub.seats.unread.take(self.seat.client, size)

    def release(self) -> None:
        """Count nothing as unread any more: everything was sent, or the connection has ended."""
        if self.unread:
            self.hub.seats.unread.give_back(self.seat.client, self.unread)
            self.unread = 0

    def proceed(self) -> None:
        """Do nothing: nothing waits for the end of the first answer."""

    def lose(self) -> None:
        """Drop the connection at once."""
        self.transport.abortConnection()

    def pauseProducing(self) -> None:
        """Stop writing: the transport's buffer is full."""
        if self.ready:  # TLS calls this for each write while the buffer is full
            self._hold(MAX_MESSAGE)
        self.ready = False

    def resumeProducing(self) -> None:
        """Write again: everything was sent."""
        self.release()
        self.ready = True
        self._accepted = -1
        self.hub.drained(self)

    def stopProducing(self) -> None:
        """Stop writing: the connection has ended."""
        self.ready = False
        self._first = None  # or it would be counted as unread when all else is given back

    def is_stalled(self, now: float) -> bool:
        """Return True if a lagging viewer acknowledged no byte for :data:`STALLED` seconds.

        If too much is unread, viewers that read nothing have :data:`CROWDED` seconds only.
        The sweep calls this regularly, because each call notes the progress.
        """
        if self.ready:
            return False
        accepted = bytes_acknowledged(self.transport)
        if accepted != self._accepted:
            self._accepted, self._progress = accepted, now
        has_room = self.hub.seats.unread.has_room(self.seat.client)
        return now - self._progress > (STALLED if has_room else CROWDED)


def bytes_acknowledged(transport: Any) -> int:
    """Return how many bytes the peer's system has acknowledged; 0 if the system does not report it.

    The number is Linux's ``tcpi_bytes_acked``, at byte 120 of ``tcp_info``.
    """
    try:
        info = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
        return int(struct.unpack_from("=Q", info, 120)[0])
    except (OSError, AttributeError, struct.error):
        return 0
