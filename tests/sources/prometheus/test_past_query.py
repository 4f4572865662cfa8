"""The past that a Prometheus knows: gaps, numbers that are none, labels, and interruptions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from time import localtime, strftime
from typing import Any, NamedTuple

import pytest

from streamd.sources.web import http_client
from tests.support.daemon import Daemon, StartDaemon
from tests.support.net import wait_until
from tests.support.prometheus import Prometheus, gate_before, prometheus_server, write_past
from tests.support.served import Serve, Served, in_thread
from tests.support.shell import run
from tests.support.streams import Streams, mistake

DAY, WIDTH = 86_400, 300
"""Seconds of a day, and of a slot of the streams here."""

STEP = WIDTH // 5
LOOKBACK = 300
"""Seconds for which a sample holds in Prometheus."""


class Past(NamedTuple):
    """A server with samples of ten days, one every five minutes, with holes.

    :ivar samples: the room -> the time -> the number as Prometheus reads it.
    """

    server: Prometheus
    samples: dict[str, dict[int, str]]

    def at(self, room: str, time: int) -> float | None:
        """What a query says of a room at a time; None if that is no number."""
        samples = self.samples[room]
        found = next((samples[t] for t in range(time, time - LOOKBACK, -1) if t in samples), "NaN")
        return None if found in ("NaN", "+Inf", "-Inf") else float(found)


def make_samples(last: int) -> dict[str, dict[int, str]]:
    """The samples of two rooms, each a second after the begin of a slot."""
    a, b = {}, {}
    for n in range(10 * DAY // WIDTH):
        # Versions differ in whether a sample of exactly five minutes ago counts.
        at = last - n * WIDTH + 1
        a[at] = {3: "NaN", 5: "+Inf", 7: "-Inf"}.get(n % 11, str(n % 11))
        if n % 50 > 9:  # an hour without samples, now and then
            b[at] = f"{n}.5"
    return {"a": a, "b": b}


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    folder = tmp_path_factory.mktemp("prometheus")
    samples = make_samples(int(time.time()) // WIDTH * WIDTH - DAY)
    write_past(
        folder,
        [
            f'load{{room="{room}"}} {number} {at}'
            for room, found in samples.items()
            for at, number in sorted(found.items())
        ],
    )
    now = {"a": "100", "b": "200"}
    rules = [{"record": "load", "labels": {"room": room}, "expr": now[room]} for room in now]
    with prometheus_server(folder, rules=rules) as server:
        yield Past(server, samples)


TABLE = """
[sources.load]
url = "{url}"
promql = "{promql}"
every = "100ms"
{key}
[sources.load.backfill]
{backfill}
"""

BY_ROOM = """
[streams."load.a"]
rollup = "30d"
[streams."load.b"]
rollup = "30d"
"""


def config(
    url: str,
    promql: str = "load",
    key: str = 'key = "room"',
    backfill: str = "",
    streams: str = BY_ROOM,
) -> str:
    return TABLE.format(url=url, promql=promql, key=key, backfill=backfill) + streams


def ask(daemon: Served | Daemon, name: str, begin: float, end: float) -> Any:
    return daemon.request("GET", f"/streams/{name}?from={begin}&to={end}&points=2000").json()


def wait_until_filled(daemon: Served | Daemon, name: str) -> None:
    def filled() -> bool:
        answer = ask(daemon, name, time.time() - 40 * DAY, time.time())
        return "backfill" not in answer and len(answer["points"]) > 1

    wait_until(filled, 60, "the backfill")


def expected(past: Past, room: str, begin: int, end: int) -> list[list[float]]:
    """The slots of a room, from the values at the steps in each."""
    found = []
    for slot in range(begin, end, WIDTH):
        numbers = [past.at(room, at) for at in range(slot, slot + WIDTH, STEP)]
        known = [number for number in numbers if number is not None]
        if known:
            mean = round(sum(known) / len(known), 6)
            found.append([slot, min(known), mean, max(known), known[-1]])
    return found


def told(daemon: Served | Daemon, room: str, begin: int, end: int) -> list[list[float]]:
    points = ask(daemon, f"load.{room}", begin, end)["points"]
    return [[at, low, round(mean, 6), high, last] for at, low, mean, high, last in points]


def check_slots(daemon: Served | Daemon, past: Past) -> None:
    """The slots of all samples are as computed."""
    first, last = min(past.samples["a"]) - 1, max(past.samples["a"]) - 1
    for room in past.samples:
        for begin in range(first, last, 5 * DAY):
            end = min(begin + 5 * DAY, last)
            assert told(daemon, room, begin, end) == expected(past, room, begin, end)


@in_thread
def test_labels_name_streams_and_gaps_are_unknown(past: Past, serve: Serve) -> None:
    served = serve(config(past.server.url))
    for room in past.samples:
        wait_until_filled(served, f"load.{room}")
    check_slots(served, past)
    answer = ask(served, "load.a", time.time() - 60, time.time())
    assert answer["value"] == 100
    [*_, now] = answer["points"]
    assert now[4] == 100
    history = served.request("GET", "/streams/load.a?history=100").json()["history"]
    assert [update["value"] for update in history] == [100]


@in_thread
def test_one_series_fills_the_stream_with_the_name_of_the_source(past: Past, serve: Serve) -> None:
    streams = '[streams.load]\nrollup = "30d"\n'
    served = serve(config(past.server.url, "sum(load * 0 + 3)", "", "step = '5m'", streams))
    wait_until_filled(served, "load")
    at = max(past.samples["b"]) - 1 - DAY
    points = ask(served, "load", at, at + DAY)["points"]
    assert {(low, high) for _, low, _, high, _ in points} <= {(3, 3), (6, 6), (3, 6)}
    assert len(points) > 200


@in_thread
def test_a_window_that_is_too_long_is_cut(
    past: Past, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "MAX_BODY", 20_000)
    with gate_before(past.server) as gate:
        gate.let(10_000)
        served = serve(config(gate.url))
        for room in past.samples:
            wait_until_filled(served, f"load.{room}")
        check_slots(served, past)
        lengths = [end - begin for begin, end in gate.windows]
        assert max(lengths) > DAY > min(lengths)
        assert len(lengths) < 70  # what was too long is not tried again at once


def test_it_is_interrupted_and_continues(past: Past, start_daemon: StartDaemon) -> None:
    with gate_before(past.server) as gate:
        daemon = start_daemon(config=f'[journal]\npath = "log.db"\n{config(gate.url)}')
        for round in range(1, 4):
            wait_until(lambda n=round: len(gate.windows) == n, what="a window")  # type: ignore[misc]
            if round == 2:
                daemon.kill()  # the second window was asked for, and nothing of it is stored
                gate.windows.pop()
                daemon.start()
                wait_until(lambda: len(gate.windows) == 2, what="the window again")
                gate.let(1)  # the request of the daemon that was killed
            gate.let(1)
        daemon.kill()
        daemon.start()
        gate.let(10_000)
        for room in past.samples:
            wait_until_filled(daemon, f"load.{room}")
        check_slots(daemon, past)
        assert daemon.log().count("a backfill begins") == 1
        begins = [begin for begin, _ in gate.windows]
        assert begins == sorted(begins)
        assert len(set(begins)) >= len(begins) - 1  # the window in which it was killed last


def test_a_stop_in_the_middle_of_a_window(past: Past, start_daemon: StartDaemon) -> None:
    with gate_before(past.server) as gate:
        daemon = start_daemon(config=config(gate.url))
        wait_until(lambda: gate.windows, what="a window")
        assert daemon.stop() == 0
        assert "tries again" not in daemon.log()
        assert "not all sources stopped" not in daemon.log()


@in_thread
def test_the_error_of_a_window_is_shown_and_the_source_continues(past: Past, serve: Serve) -> None:
    served = serve(config(past.server.url, backfill="timeout = '1ms'"))

    def error() -> Any:
        return (
            ask(served, "load.a", time.time() - DAY, time.time()).get("backfill", {}).get("error")
        )

    wait_until(lambda: error() == "no answer within 0.001 s")
    assert Streams(served).health("load.a") == ("fresh", None)


def test_check_shows_some_rows(past: Past, tmp_path: Path) -> None:
    text = config(past.server.url).replace('"load.b"', '"load.other"')
    (tmp_path / "streamd.toml").write_text(text)
    done = run("check", folder=tmp_path)
    lines = [line for line in done.stdout.splitlines() if not line.startswith(("load.", "  2"))]
    begin = strftime("%Y-%m-%d %H:%M", localtime((time.time() // DAY - 30) * DAY))
    assert done.stderr == ""
    assert lines == [
        f"load: a backfill begins at {begin}; some of its rows:",
        "  not kept, because without rollup: load.b",
    ]
    assert sum(line.startswith("  2") for line in done.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (config("http://a", backfill='step = "500ms"'), "load.backfill.step: expected at least 1s"),
        (config("http://a", backfill="query = 'load'"), "load.backfill.query: "),
        (config("http://a", streams='[streams.load]\nrollup = "3d"'), "load.backfill: it fills"),
        (
            config("http://a", key="", streams=BY_ROOM),
            "no stream of this source has one, such as [streams.load] rollup",
        ),
    ],
)
def test_mistakes(text: str, expected: str) -> None:
    assert expected in mistake(text)
