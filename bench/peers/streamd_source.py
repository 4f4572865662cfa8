"""The source of streamd's measurements: ``call = "streamd_source.values"``, told by the environment."""

import os
import time

from twisted.internet import reactor, task

RUNS, MEMBERS = float(os.environ["BENCH_RUNS"]), int(os.environ["BENCH_MEMBERS"])
"""Runs a second (0: none), and how many of the streams each of them updates."""

SIZE, STREAMS = int(os.environ["BENCH_SIZE"]), int(os.environ["BENCH_STREAMS"])
"""Bytes of a plain message of one stream; how many streams there are in all.

One stream is a value of the source itself; more are its members, ``t.GROUP.NUMBER``."""

GROUPS = 100

GO = os.path.abspath("go")
"""Until there is this file, viewers come, and there are two runs a second."""


def _value(due):
    return f"@{int(due * 1e6):015}".ljust(SIZE - len('{"t":""}'), "x")


async def values():
    """Readings, each when it is due; the first, of all streams, at once."""
    due = time.monotonic()
    names = [f"{number % GROUPS}.{number // GROUPS}" for number in range(STREAMS)]
    yield dict.fromkeys(names, _value(due)) if STREAMS > 1 else _value(due)
    turn, gone = 0, False
    while RUNS:
        gone = gone or os.path.exists(GO)
        due += 1 / RUNS if gone else 0.5
        await task.deferLater(reactor, max(0.0, due - time.monotonic()))
        value = _value(due)
        if STREAMS == 1:
            yield value
        else:
            first = turn % STREAMS
            yield dict.fromkeys(names[first : first + MEMBERS], value)
            turn += MEMBERS
    await task.deferLater(reactor, 1e6)
