"""What every server of the comparison sends: messages that say when they were due."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

PORT, RATE, SIZE = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
"""The arguments of each peer: its port, messages a second (0: none), bytes of each."""

PREPARING = 0.5


def value(due: float, size: int = SIZE) -> str:
    """The stamp that the load generator reads, filled up to a message of this many bytes.

    :param due: seconds of the monotonic clock.
    """
    return f"@{int(due * 1e6):015}".ljust(size - len('{"t":""}'), "x")


def message(due: float) -> str:
    """A message of SIZE bytes."""
    return f'{{"t":"{value(due)}"}}'


def schedule() -> Iterator[tuple[float, float]]:
    """How long to wait, and when the next message is due; one who is late waits for nothing.

    While viewers come there are two messages a second: until there is a file "go".
    """
    due = time.monotonic()
    gone = False
    while RATE:
        gone = gone or os.path.exists("go")
        due += 1 / RATE if gone else PREPARING
        yield max(0.0, due - time.monotonic()), due
