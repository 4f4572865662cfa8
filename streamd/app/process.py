"""The process around the daemon: its clock, its signals, its open files, its memory."""

from __future__ import annotations

import ctypes
import resource
import signal
import sys
import time
from typing import Any


def use_monotonic_time(reactor: Any) -> None:
    """Let delays follow a clock that nobody sets.

    Twisted's timers read the wall clock: set back an hour, they stand still for an hour.  This has to
    happen before the first delayed call.
    """
    reactor.seconds = time.monotonic


def end_cleanly(reactor: Any) -> None:
    """Let SIGTERM end the process with status 0: systemd calls any other status a failure.

    Twisted alone would stop, and then send itself the signal again.  A second SIGTERM is ignored: a
    reactor that is stopping cannot be stopped.
    """

    def stop(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        reactor.callFromThread(reactor.stop)

    # Before the reactor runs, nothing has begun that would have to end.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    # The reactor installs its own handlers when it starts.
    reactor.callWhenRunning(signal.signal, signal.SIGTERM, stop)


def allow_files() -> None:
    """Raise the limit of open files to the hard limit: each viewer is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def trim_memory() -> None:
    """Give freed memory back to the system: the C library keeps it otherwise.

    Only glibc has ``malloc_trim``.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
