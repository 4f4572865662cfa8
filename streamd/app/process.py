"""Settings of the daemon's process: its clock, its signals, its open files and its memory."""

from __future__ import annotations

import ctypes
import resource
import signal
import sys
import time
from typing import Any


def use_monotonic_time(reactor: Any) -> None:
    """Make the reactor's delays use a monotonic clock.

    Twisted's timers read the wall clock: if it is set back by an hour, they stop for an hour.  Call
    this before the first delayed call.
    """
    reactor.seconds = time.monotonic


def end_cleanly(reactor: Any) -> None:
    """Make SIGTERM end the process with status 0, because systemd treats any other status as a failure.

    Twisted itself would stop and then send itself the signal again.  A second SIGTERM is ignored,
    because a reactor that is stopping cannot be stopped.
    """

    def stop(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        reactor.callFromThread(reactor.stop)

    # Before the reactor runs there is nothing to stop.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    # The reactor installs its own handlers when it starts.
    reactor.callWhenRunning(signal.signal, signal.SIGTERM, stop)


def allow_files() -> None:
    """Raise the limit of open files to the hard limit: each viewer needs one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def trim_memory() -> None:
    """Return freed memory to the system, because the C library would keep it.

    Only glibc has ``malloc_trim``.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
