"""The fast write: a message to a viewer goes to its socket at once.

``transport.write`` keeps the message for the next turn of the reactor and waits for epoll.  This costs
two system calls and a turn for every message, although the socket nearly always has room.  The daemon
also works without this module: with ``STREAMD_WRITES=plain`` in the environment it is only slower.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from streamd.hub.link import Link
from streamd.reactor.private_twisted import direct_send

ENABLED = os.environ.get("STREAMD_WRITES") != "plain"

SHORT = 16 * 1024
"""The most bytes of a fast write.  Longer data is left to the reactor, so that others get a turn."""


class FastLink(Link):
    """A link that leaves to the reactor only the bytes that the kernel does not take at once."""

    __slots__ = ("_send_now",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._send_now: Callable[[bytes], int] | None = None

    def resumeProducing(self) -> None:
        if ENABLED and self._pulls and self._send_now is None:
            # From now on write() sends everything.  Bytes written earlier must be sent first.
            self._send_now = direct_send(self.transport)
        super().resumeProducing()

    def write(self, data: bytes) -> None:
        """Send these bytes."""
        if self.ready and self._send_now is not None and self._first is None and len(data) <= SHORT:
            try:
                sent = self._send_now(data)
            except OSError:  # the socket is full or closed; the reactor finds out which
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        super().write(data)


def write_now(transport: Any, data: bytes) -> None:
    """Write to a transport, at once if nothing waits to be sent."""
    send = direct_send(transport) if ENABLED and transport.connected else None
    try:
        sent = send(data) if send else 0
    except OSError:
        sent = 0
    if sent < len(data):
        transport.write(data[sent:])
