"""A service manager, as far as a service sees it: the socket of sd_notify(3)."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path


class Manager:
    """Hears what services tell it."""

    def __init__(self, address: str) -> None:
        """`address` is the value for `$NOTIFY_SOCKET`."""
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        if not self.address.startswith("@"):
            Path(self.address).unlink()

    def heard(self) -> list[str]:
        """The datagrams since the last call."""
        heard = []
        with suppress(BlockingIOError):
            while True:
                heard.append(self._socket.recv(65536).decode())
        return heard
