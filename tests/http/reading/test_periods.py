"""A period of a stream's past over HTTP: as JSON, as CSV, page by page, and after kill -9."""

from __future__ import annotations

import csv
import io
import json
import time
from typing import Any

import pytest

from streamd.http.reading.history import SLOT_BYTES
from tests.support.daemon import StartDaemon
from tests.support.net import Answer, wait_until
from tests.support.served import QUIET, Serve, Served, head, in_thread

ROLLED = (
    QUIET
    + """
[streams.orders]
keep = 2
rollup = "8d"
warn = "> 5"
[streams.door]
keep = 1
rollup = "8h"
"""
)
NOW = time.time() // 60 * 60 - 3 * 3600
"""The beginning of a minute, some hours ago: older slots are dropped."""


def put(served: Any, name: str, *said: tuple[float, Any]) -> None:
    for at, value in said:
        headers = {"Content-Type": "application/json", "Streamd-Time": str(at)}
        answer = served.request("POST", f"/streams/{name}", json.dumps(value), headers)
        assert answer.status == 201, answer.text


def look(served: Any, name: str, query: str, **headers: str) -> Answer:
    answer: Answer = served.request("GET", f"/streams/{name}?{query}", headers=headers)
    assert answer.status == 200, answer.text
    return answer


@in_thread
def test_slots_outlive_the_updates(serve: Serve) -> None:
    served = serve(ROLLED)
    put(served, "orders", *((NOW + 30 * n, n) for n in range(10)))
    told = look(served, "orders", f"from={NOW}&to={NOW + 300}").json()
    assert (told["name"], told["from"], told["to"], told["width"]) == (
        "orders",
        NOW,
        NOW + 300,
        60,
    )
    wanted = [[NOW + 60 * n, 2 * n, 2 * n + 0.5, 2 * n + 1, 2 * n + 1] for n in range(5)]
    assert told["points"] == wanted
    assert told["levels"] == [[NOW, NOW + 180, "ok"], [NOW + 180, NOW + 300, "warn"]]
    assert (told["words"], told["silences"]) == ([], [])
    assert "rough" not in told


@in_thread
def test_paging_back_has_no_gap_and_no_double(serve: Serve) -> None:
    """Each page ends where the one after it begins, whatever was asked for."""
    served = serve(ROLLED)
    put(served, "orders", *((NOW + 7 * n, n) for n in range(200)))
    whole = look(served, "orders", f"from={NOW}&to={NOW + 1393}").json()["points"]
    points: list[Any] = []
    end = NOW + 1393
    while end > NOW:
        told = look(served, "orders", f"from={end - 130}&to={end}").json()
        assert told["to"] == end
        points = told["points"] + points
        end = told["from"]
    assert points[-len(whole) :] == whole
    assert len(whole) == 24


@in_thread
def test_words(serve: Serve) -> None:
    served = serve(ROLLED)
    put(served, "door", (NOW, "open"), (NOW + 5, "closed"), (NOW + 6, "open"))
    told = look(served, "door", f"from={NOW + 1}&to={NOW + 10}").json()
    assert (told["from"], told["width"]) == (NOW, 5), "a period begins with a slot"
    assert told["words"] == [
        [NOW, NOW + 5, "open"],
        [NOW + 5, NOW + 6, "closed"],
        [NOW + 6, NOW + 10, "open"],
    ]
    assert told["points"] == told["levels"] == []


@in_thread
def test_csv(serve: Serve) -> None:
    served = serve(ROLLED)
    put(served, "orders", (NOW, 1), (NOW + 90, 2.5), (NOW + 120, -3))
    answer = look(served, "orders", f"from={NOW}&to={NOW + 121}&points=3", Accept="text/csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "Accept" in answer.headers["Vary"]
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["time", "min", "mean", "max", "last"]
    assert [[float(cell) for cell in row] for row in rows[1:]] == [
        [NOW, 1, 1, 1, 1],
        [NOW + 60, 1, 1.75, 2.5, 2.5],
        [NOW + 120, -3, -3, -3, -3],
    ]


@in_thread
def test_a_duration_before_now(served: Served) -> None:
    served.post("a", 7)
    told = look(served, "a", "from=-1h").json()
    assert told["to"] - told["from"] in (3600, 3601)
    assert abs(told["to"] - time.time()) < 60
    assert told["points"][-1][1:] == [7, 7, 7, 7]


@in_thread
def test_points_bound_the_slots(serve: Serve) -> None:
    served = serve(ROLLED)
    put(served, "orders", *((NOW + 60 * n, n) for n in range(100)))
    told = look(served, "orders", f"from={NOW}&to={NOW + 6000}&points=10").json()
    assert told["width"] == 600
    assert 10 <= len(told["points"]) <= 11


@in_thread
def test_the_slots_of_an_unread_answer_are_counted(serve: Serve) -> None:
    served = serve(QUIET)
    put(served, "a", (NOW, 1))
    asked = head("GET", f"/streams/a?from={NOW}&to={NOW + 5000}&points=5000")
    served.wire(asked * 100, receive_buffer=4096)
    quota = served.service.site.unread.quota
    wait_until(lambda: served.run(lambda: quota.used) > 5000 * SLOT_BYTES)


@in_thread
def test_an_update_that_comes_too_late_is_reported(serve: Serve) -> None:
    served = serve(ROLLED)
    put(served, "orders", *((NOW + 30 * n, n) for n in range(10)), (NOW, 99))
    told = look(served, "orders", f"from={NOW}&to={NOW + 300}").json()
    assert told["rough"] is True
    assert told["points"][0] == [NOW, 0, 0.5, 99, 1]


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("from=yesterday", "from: expected seconds"),
        ("from=-1", "from: expected seconds"),
        ("from=nan", "from: expected seconds"),
        (f"from={'9' * 5000}", "from: expected seconds"),
        ("to=-5x", "to: expected seconds"),
        ("from=5&to=5", "from: expected a time before to"),
        ("from=99999999999", "from: expected a time before to"),
        ("from=-1h&points=1", "points: expected a number"),
    ],
)
@in_thread
def test_invalid_period(served: Served, query: str, what: str) -> None:
    served.post("a", 7)
    answer = served.request("GET", f"/streams/a?{query}")
    assert answer.status == 400
    assert answer.json()["error"]["message"].startswith(what)


def test_closed_slots_survive_kill_9(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(config=ROLLED + '[journal]\npath = "log.db"\n')
    put(daemon, "orders", *((NOW + 30 * n, n) for n in range(10)))
    query = f"from={NOW}&to={NOW + 300}"
    before = look(daemon, "orders", query).json()
    files = [daemon.folder / name for name in ("log.db", "log.db-wal")]
    wait_until(lambda: any(b'"warn"' in file.read_bytes() for file in files), 60)  # it is stored
    daemon.kill()
    daemon.start()
    after = look(daemon, "orders", query).json()
    assert (after["points"], after["levels"]) == (before["points"], before["levels"])
    put(daemon, "orders", (NOW + 300, 10))
    assert look(daemon, "orders", f"from={NOW}&to={NOW + 300}").json()["points"] == before["points"]


@pytest.mark.parametrize("way", ["socket", "events"])
@in_thread
def test_history_of_v1_goes_back_into_the_slots(serve: Serve, way: str) -> None:
    """What a viewer can draw: each update once, either as itself or in a slot."""
    served = serve(ROLLED)
    put(served, "orders", *((NOW + 70 * n, n) for n in range(100)))
    put(served, "door", (NOW, "open"), (NOW + 5, "closed"))
    messages = v1_messages(served, way, "streams=orders,door&history=2000")
    [updates] = [m["updates"] for m in messages if m["type"] == "updates"]
    past, door = (m for m in messages if m["type"] == "past")
    assert (past["stream"], past["width"], past["to"]) == ("orders", 60, NOW + 6840)
    drawn = [u["value"] for u in updates if u["stream"] == "orders" and u["time"] >= past["to"]]
    assert drawn == [98, 99]
    assert (past["points"][0][1], past["points"][-1][4]) == (0, 97)
    assert (door["stream"], door["words"]) == ("door", [[NOW, NOW + 5, "open"]])


def v1_messages(served: Any, way: str, query: str) -> list[Any]:
    """The messages of a viewer, up to the second past."""
    if way == "events":
        answer = served.request("GET", f"/events?format=v1&for=1ms&{query}")
        found = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
        return [json.loads(text) for text in found]
    with served.connect(f"/ws?{query}", subprotocols=["streamd.v1"]) as viewer:
        messages: list[Any] = []
        while sum(message["type"] == "past" for message in messages) < 2:
            messages.append(json.loads(viewer.recv(timeout=20)))
        return messages
