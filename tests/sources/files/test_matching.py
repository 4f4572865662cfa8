"""A pattern reads lines in a process, and one that takes exponential time holds nothing else up."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import deferLater

from streamd.core.values import BadValue
from streamd.sources.errors import SourceError
from streamd.sources.files.matching import PATIENCE, TOO_SLOW, Matching

NUMBERS = r"(?P<status>\d+) (?P<ms>\d+)?"
CATASTROPHIC = r"(?P<word>(x+x+)+y)"
SLOW = "x" * 40


def make(pattern: str) -> Any:
    from twisted.internet import reactor

    return Matching(reactor, pattern)


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def matching() -> AsyncIterator[Any]:
    matching = make(NUMBERS)
    yield matching
    matching.stop()


async def test_groups(matching: Any) -> None:
    lines = ["GET 200 12", "nothing", "404 ", "ä\n 7 8 \ud83d", ""]
    expected = [{"status": "200", "ms": "12"}, None, {"status": "404", "ms": None}]
    assert await matching.read(lines) == [*expected, {"status": "7", "ms": "8"}, None]
    assert await matching.read([]) == []
    many = [f"{number} {number}" for number in range(20_000)]
    assert [found["ms"] for found in await matching.read(many)] == [*map(str, range(20_000))]


async def test_a_line_that_takes_too_long_is_left_out() -> None:
    from twisted.internet import reactor

    matching = make(CATASTROPHIC)
    beats = 0

    def beat() -> None:
        nonlocal beats
        beats += 1
        if not done:
            reactor.callLater(0.01, beat)

    done: list[Any] = []
    beat()
    done += await matching.read(["xxy", SLOW, "xxxy"])
    assert done == [{"word": "xxy"}, TOO_SLOW, {"word": "xxxy"}]
    assert beats > 10  # the pattern took a second, and the reactor ran
    await deferLater(reactor, 0.02)
    matching.stop()


async def test_many_slow_lines_end_the_reading() -> None:
    matching = make(CATASTROPHIC)
    found = await matching.read(["xxy", *[SLOW] * 100])
    assert found == [{"word": "xxy"}, *[TOO_SLOW] * 100]
    assert PATIENCE < 100
    assert isinstance(TOO_SLOW, BadValue)
    matching.stop()


async def test_a_process_that_is_killed_is_started_again(matching: Any) -> None:
    await matching.read(["1 2"])
    pid = matching._process.transport.pid
    asking = matching.read(["1 2"] * 50_000)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(SourceError, match="the process that reads the pattern ended"):
        await asking
    assert await matching.read(["3 4"]) == [{"status": "3", "ms": "4"}]
