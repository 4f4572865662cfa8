"""The work that a daemon does every so often."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from twisted.internet.defer import fail, succeed

from streamd.app import upkeep
from streamd.app.upkeep import PAUSE
from streamd.core.histories.saving import FOLLOWED
from streamd.core.stream import PAUSED
from streamd.core.update import ORIGIN
from streamd.journals.journal import Away, Fence, Outrun
from tests.support.net import wait_until
from tests.support.served import QUIET, Serve, Served, in_thread

DAY = 24 * 3600.0


@in_thread
def test_stream_becomes_late_by_itself(serve: Serve) -> None:
    served = serve(QUIET + '\n[streams.a]\nexpect = "1h"')
    now = served.service.upkeep.now
    served.post("a", 1)

    def state() -> str:
        known: str = served.request("GET", "/streams/a").json()["health"]["state"]
        return known

    assert state() == "fresh"
    served.service.upkeep.now = lambda: now() + 3601
    wait_until(lambda: state() == "late")
    served.service.upkeep.now = now
    served.post("a", 1)
    assert state() == "fresh"


@pytest.mark.parametrize("clock", ["now", "elapsed"])
@in_thread
def test_values_of_sources_are_doubted_after_a_pause(serve: Serve, clock: str) -> None:
    served = serve(f"""{QUIET}
        [sources.once]
        command = "echo 1; sleep 1000"
        [sources.often]
        command = "echo 1"
        every = "100ms"
    """)
    wait_until(lambda: set(served.state()) == {"once", "often"})
    served.post("published", 1)
    kept = served.service.upkeep
    clocks = {"now": kept.now, "elapsed": kept.elapsed}

    def sleep() -> None:
        kept._judge()
        setattr(kept, clock, lambda: clocks[clock]() + 2 * PAUSE)
        kept._judge()

    def healths() -> dict[str, Any]:
        streams = served.request("GET", "/streams").json()["streams"]
        return {
            name: (s["health"]["state"], s["health"].get("error")) for name, s in streams.items()
        }

    served.run(sleep)
    late, fresh = ("late", PAUSED), ("fresh", None)
    assert healths() == {"once": late, "often": late, "published": fresh}
    assert healths()["often"] == late
    wait_until(lambda: set(healths().values()) == {fresh})


def a_day_later(kept: upkeep.Upkeep) -> None:
    """Have it believe that a day passes at once."""
    kept._judge()
    elapsed = kept.elapsed
    kept.now = lambda: time.time() + DAY + 1
    kept.elapsed = lambda: elapsed() + DAY + 1


@in_thread
def test_stream_without_updates_is_forgotten_in_the_end(serve: Serve) -> None:
    served = serve(QUIET + "\n[streams.configured]\n")
    served.post("old", 1)
    served.post("configured", 1)
    with served.connect() as viewer:
        assert json.loads(viewer.recv(timeout=20)) == {"old": 1, "configured": 1}
        served.run(served.service.upkeep.forget_streams)
        assert set(served.state()) == {"old", "configured"}
        served.run(a_day_later, served.service.upkeep)
        served.run(served.service.upkeep.forget_streams)
        assert json.loads(viewer.recv(timeout=20)) == {"old": None}
    assert set(served.state()) == {"configured"}


@in_thread
def test_a_node_without_a_lease_or_outrun_forgets_nothing(serve: Serve) -> None:
    served = serve(QUIET)
    served.post("old", 1)
    streamd = served.service

    def forget() -> None:
        a_day_later(streamd.upkeep)
        lease: Any = SimpleNamespace(fence=None, stop=lambda: succeed(None))
        streamd.upkeep.lease = lease
        streamd.upkeep.forget_streams()
        lease.fence = Fence("forget", 1)
        append = patch.object(streamd.journal, "append", return_value=fail(Outrun()))
        with append as appended:  # another node holds the lease by now
            streamd.upkeep.forget_streams()
        assert appended.call_args.kwargs == {"fence": lease.fence}

    served.run(forget)
    assert served.state() == {"old": 1}


@in_thread
def test_memory_is_given_back_after_many_viewers_left(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    trimmed: list[None] = []
    monkeypatch.setattr(upkeep, "trim_memory", lambda: trimmed.append(None))
    monkeypatch.setattr(upkeep, "MANY_LEFT", 3)
    for number in range(3):
        served.run(served.service.upkeep._give_back_memory)
        assert not trimmed, f"{number} have left"
        with served.connect() as viewer:
            viewer.recv(timeout=20)
        wait_until(lambda left=number + 1: served.service.viewers.protocols.left == left)  # type: ignore[misc]
    served.run(served.service.upkeep._give_back_memory)
    served.run(served.service.upkeep._give_back_memory)
    assert len(trimmed) == 1


@in_thread
def test_long_histories_are_stored_in_parts_one_after_the_other(serve: Serve) -> None:
    kept = serve(QUIET).service.upkeep
    parts: list[Any] = [{"a": {0: b"1"}}, {"b": {0: b"2"}}, {FOLLOWED: {-1: b"3"}}]
    remaining, stored = iter(parts), []

    def store(blocks: Any) -> Any:
        stored.append(blocks)
        return succeed(None)

    with (
        patch.object(kept._state.saving, "take", lambda now: next(remaining)),
        patch.object(kept._journal, "store", store),
    ):
        kept.store()
    assert stored == parts


@in_thread
def test_the_journal_is_trimmed_of_what_was_stored(serve: Serve) -> None:
    kept = serve(QUIET).service.upkeep
    losses = {"a": ORIGIN}, ORIGIN
    for last, error in ((FOLLOWED, None), (FOLLOWED, Away("gone")), ("", None)):
        happened: list[str] = []
        parts = iter([{"a": {0: b"1"}}, {FOLLOWED: {-1: b"3"}} if last else {}])

        def store(blocks: Any, error: Any = error, happened: list[str] = happened) -> Any:
            happened.append("store")
            return succeed(None) if error is None else fail(error)

        def trim(*told: Any, happened: list[str] = happened) -> Any:
            assert told == losses
            happened.append("trim")
            return succeed(None)

        with (
            patch.object(kept._state.saving, "take", lambda now, parts=parts: next(parts)),
            patch.object(kept._state, "losses", lambda: losses),
            patch.object(kept._journal, "store", store),
            patch.object(kept._journal, "trim", trim),
        ):
            kept.store()
            lease: Any = SimpleNamespace(fence=None)
            with patch.object(kept, "lease", lease):
                kept.store()
        assert happened == (["store"] if error else ["store"] * (2 if last else 1) + ["trim"])


@in_thread
def test_stopped_upkeep_leaves_no_timer(serve: Serve) -> None:
    served = serve(QUIET)
    timers = served.service.upkeep._timers
    assert all(timer._next is not None for timer in timers)
    served.run(served.service.upkeep.stop)
    assert all(timer._next is None for timer in timers)
