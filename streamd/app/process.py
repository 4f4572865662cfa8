"""Settings of the daemon's process: its clock, its signals, its open files and its memory."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
import time
from typing import Any

LEAVE_AFTER = 0.4
"""Seconds from the end of the reactor to the end of the process.  The process ends within
5 s after SIGTERM: 3.5 s are for sources and viewers, and 1 s is for the journal."""


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


def leave_threads(reactor: Any) -> None:
    """Let the process end, with status 0, although threads of the user's functions still run.

    At its end Python waits for threads that are no daemons, and for the jobs of a ThreadPoolExecutor.
    """

    def leave() -> None:
        threading.Event().wait(LEAVE_AFTER)  # sleep() fails under libfaketime
        os._exit(0)

    waiting = threading.Thread(target=leave, name="leave", daemon=True)
    reactor.addSystemEventTrigger("after", "shutdown", waiting.start)


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
