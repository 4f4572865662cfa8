"""Settings of the daemon's process: its clock, its signals, its open files and its memory."""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

LEAVE_AFTER = 0.4
"""Seconds from the end of the reactor to the end of the process.  The process ends within
5 s after SIGTERM: 3.5 s are for sources and viewers, and 1 s is for the journal."""

LARGE = 128 * 1024
"""Bytes from which a buffer has memory of its own.  glibc begins with this bound, and raises it to the
largest buffer that was freed, up to 32 MiB."""

MAX_IDLE = 4 * 2**20
"""Bytes at the end of the heap that are kept for the next messages."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)


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


def call_on_hangup(reactor: Any, call: Callable[[], object]) -> None:
    """Call a function at each SIGHUP: ``systemctl reload`` asks with it for a new configuration.

    A terminal that closes sends SIGHUP, too.  A daemon that reads from this terminal stops, because
    otherwise it would run on unseen.  Any other daemon, even one that ``nohup`` started, calls the
    function.
    """
    terminal = sys.stdin.isatty() if sys.stdin is not None else False

    def hear(number: int, frame: Any) -> None:
        reactor.callFromThread(reactor.stop if terminal and _is_closed(0) else call)

    # A signal that comes before the reactor runs is remembered.
    signal.signal(signal.SIGHUP, lambda number, frame: reactor.callWhenRunning(call))
    reactor.callWhenRunning(signal.signal, signal.SIGHUP, hear)


def _is_closed(terminal: int) -> bool:
    """Return whether a terminal was closed: the kernel answers every request with EIO."""
    try:
        os.tcgetpgrp(terminal)
    except OSError:
        return True
    return False


def leave_threads(reactor: Any) -> None:
    """Let the process end with status 0, even if threads of the user's functions still run.

    At its end, Python waits for all threads that are not daemon threads, and for the jobs of a
    ThreadPoolExecutor.
    """

    def leave() -> None:
        threading.Event().wait(LEAVE_AFTER)  # sleep() fails under libfaketime
        os._exit(0)

    waiting = threading.Thread(target=leave, name="leave", daemon=True)
    reactor.addSystemEventTrigger("after", "shutdown", waiting.start)


def tell_where_it_hangs() -> None:
    """Write the stack of every thread on stderr if the process is aborted.

    The watchdog of systemd ends a process that hangs with SIGABRT.
    """
    faulthandler.enable()


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


def free_large_buffers() -> None:
    """Let each large buffer go back to the system when it is freed.

    In the heap, small objects behind the buffer would keep its memory. 300 clients with compressed
    answers made the daemon grow by 78 MiB for ever.  Now it grows by 69 MiB for a while.  Only
    glibc has these options.
    """
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        option(_MMAP_THRESHOLD, LARGE)
        option(_TRIM_THRESHOLD, MAX_IDLE)


def keep_collections_short() -> None:
    """Examine each object in one full garbage collection only.

    A full collection of a daemon without a stream takes 36 ms of CPU, all for the modules, and no
    viewer gets a message meanwhile.  Objects that survive one are exempt from the next, which takes
    0.01 ms. A reference cycle that is left later is freed by :func:`collect_all`.
    """

    oldest = len(gc.get_threshold()) - 1

    def freeze(phase: Literal["start", "stop"], info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == oldest:
            gc.freeze()

    gc.callbacks.append(freeze)
    gc.collect()


def collect_all() -> None:
    """Run a full garbage collection over all objects; its time grows with the state."""
    gc.unfreeze()
    gc.collect()
