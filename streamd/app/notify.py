"""Reports the state of the daemon to the service manager, as sd_notify(3) describes.

The protocol is one datagram of lines ``NAME=value`` to the Unix socket that ``$NOTIFY_SOCKET`` names:

    -> READY=1         the daemon answers requests
    -> STATUS=…        a sentence that ``systemctl status`` shows
    -> STOPPING=1      the daemon stops
    -> WATCHDOG=1      the daemon works; without this for ``WatchdogSec=``, systemd restarts it
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

from streamd.core.printable import showable

MAX_STATUS = 500
"""The most characters of a status: ``systemctl status`` shows it on one line."""


class Notifier:
    """Sends fields to the service manager; without ``$NOTIFY_SOCKET`` it does nothing.

    Fields that the socket does not take are kept and sent with the next ones.  Nothing blocks, because
    a service manager that hangs must not stop the daemon.

    :ivar watchdog: the most seconds between two signs for the watchdog; None without a watchdog.
    """

    def __init__(self, address: str = "", watchdog: float | None = None) -> None:
        """:param address: the path of the socket; ``@`` at its start means the abstract namespace."""
        self.watchdog = watchdog
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._unsent: dict[str, str] = {}
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    def __bool__(self) -> bool:
        """Return whether there is a service manager that listens."""
        return self._socket is not None

    def tell(self, **fields: str) -> None:
        """Send fields, and those that could not be sent before."""
        if self._socket is None:
            return
        self._unsent |= fields
        message = "\n".join(f"{name}={value}" for name, value in self._unsent.items())
        try:
            self._socket.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError:
            return
        self._unsent.clear()

    def tell_status(self, text: str) -> None:
        """Send a status, on one line and without passwords."""
        self.tell(STATUS=showable(text)[:MAX_STATUS])

    def close(self) -> None:
        """Send nothing more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def take_notifier(environ: MutableMapping[str, str] = os.environ) -> Notifier:
    """Make the notifier that the environment describes.

    Its variables are removed, because the commands of sources inherit the environment.
    """
    return Notifier(environ.pop("NOTIFY_SOCKET", ""), _take_watchdog(environ))


def _take_watchdog(environ: MutableMapping[str, str]) -> float | None:
    microseconds = environ.pop("WATCHDOG_USEC", "")
    process = environ.pop("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdecimal() or process != str(os.getpid()):
        return None
    return int(microseconds) / 1e6 or None
