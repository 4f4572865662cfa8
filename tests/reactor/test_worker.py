"""A thread for calls that block."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from twisted.internet.defer import gatherResults

from streamd.reactor.worker import Worker


@pytest.fixture
def worker() -> Any:
    from twisted.internet import reactor

    worker = Worker(reactor, "test")  # type: ignore[arg-type]
    yield worker
    worker.stop()


async def test_calls_run_one_after_the_other_in_one_thread(worker: Worker) -> None:
    seen: list[tuple[int, str]] = []

    def note(number: int) -> int:
        seen.append((number, threading.current_thread().name))
        return number

    assert await gatherResults([worker.run(note, n) for n in range(5)]) == list(range(5))
    assert seen == [(n, "test") for n in range(5)]


async def test_whatever_a_call_raises_ends_only_that_call(worker: Worker) -> None:
    def fail(error: BaseException) -> None:
        raise error

    for error in (ZeroDivisionError(), SystemExit(3)):
        with pytest.raises(type(error)):
            await worker.run(fail, error)
    assert await worker.run(int, "5") == 5


async def test_a_call_that_never_ends_is_not_waited_for(worker: Worker) -> None:
    begun, release = threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        release.wait(60)

    running = worker.run(block)
    assert begun.wait(10)
    worker.stop()
    assert worker._thread.daemon
    release.set()
    await running
    worker._thread.join(10)
    assert not worker._thread.is_alive()
