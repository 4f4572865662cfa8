"""The fast write: what a viewer is sent goes to its socket at once.

``transport.write`` keeps it for the next turn of the reactor, and has epoll say when that may be: two
system calls and a turn for every message, to a socket that nearly always has room.  Nothing needs this
module: whoever puts :class:`~streamd.hub.link.Link` in the place of :class:`FastLink`, or
``STREAMD_WRITES=plain`` into the environment, has the same daemon, only slower.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.tcp import Connection

from streamd.hub.link import Link

ENABLED = os.environ.get("STREAMD_WRITES") != "plain"

SHORT = 16 * 1024
"""Bytes; what is longer, as the pieces of a long message are, takes its turn: others come between."""


class FastLink(Link):
    """A link that leaves to the reactor only what the kernel does not take at once."""

    __slots__ = ("_send_now",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._send_now: Callable[[bytes], int] | None = None

    def resumeProducing(self) -> None:
        if ENABLED and self._pulls and self._send_now is None:
            transport = self.transport
            # From now on all goes through write(); what went before it has to leave before.
            waits = transport.dataBuffer or transport._tempDataBuffer
            if isinstance(transport, Connection) and not waits:
                self._send_now = transport.socket.send
        super().resumeProducing()

    def write(self, data: bytes) -> None:
        """Send this."""
        if self.ready and self._send_now is not None and len(data) <= SHORT:
            try:
                sent = self._send_now(data)
            except OSError:  # no room; or no connection, which the reactor finds out
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        super().write(data)
