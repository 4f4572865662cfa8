"""``GET /events`` over real TCP, item by item as docs/protocol.rst promises it."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest

from streamd.app import upkeep
from streamd.core.quota import Quota
from streamd.hub.hub import Hub
from streamd.hub.link import CROWDED
from streamd.wire.encoding import COME_BACK
from tests.support.daemon import StartDaemon
from tests.support.net import wait_until
from tests.support.served import QUIET, Serve, Served, Wire, head, in_thread
from tests.support.tidy import LoggedErrors

Event = dict[str, str]


class Reader:
    """An event stream, event by event."""

    def __init__(self, served: Served, query: str = "", *lines: str, version: str = "1.1") -> None:
        request = head("GET", f"/events{query}", *lines)
        self.wire: Wire = served.wire(request.replace(b"HTTP/1.1", b"HTTP/%b" % version.encode()))
        self.head = self.wire.head()
        assert self.head.startswith("HTTP/1.1 200 "), self.head

    def block(self) -> Event:
        """The next block of lines as field -> value; a comment's field is empty."""
        fields: Event = {}
        while (line := self.wire.line()) != "\n":
            field, colon, value = line.rstrip("\n").partition(":")
            assert colon, line
            assert field not in fields, "a block has each field once"
            fields[field] = value.removeprefix(" ")
        return fields

    def event(self) -> Event:
        """The next block that is an event; those of the greeting go by."""
        greeting = ("build", "configuration")
        while "data" not in (block := self.block()) or block.get("event") in greeting:
            pass
        return block

    def message(self) -> Any:
        """What the next event says."""
        return json.loads(self.event()["data"])


# -- plain -----------------------------------------------------------------------------------------


@in_thread
def test_head(served: Served) -> None:
    lines = Reader(served).head.lower().splitlines()
    assert "content-type: text/event-stream; charset=utf-8" in lines
    assert "cache-control: no-store" in lines
    assert "x-accel-buffering: no" in lines
    assert "connection: close" in lines
    assert "x-content-type-options: nosniff" in lines
    assert not [line for line in lines if line.startswith(("content-length", "transfer-encoding"))]


@in_thread
def test_first_the_state_then_what_changed(served: Served) -> None:
    served.post("a", 1)
    served.post("b", {"x": "two\nlines"})
    reader = Reader(served)
    assert set(reader.block()) == {"retry"}
    first = reader.block()
    assert set(first) == {"id", "data"}, "no name: a stock onmessage hears it"
    assert json.loads(first["data"]) == {"a": 1, "b": {"x": "two\nlines"}}
    assert first["id"] == served.cursor()
    served.post("a", 2)
    assert reader.event() == {"id": served.cursor(), "data": '{"a":2}'}
    served.request("DELETE", "/streams/b")
    assert reader.message() == {"b": None}


@in_thread
def test_each_viewer_waits_another_time_before_it_comes_back(served: Served) -> None:
    """After a restart all event streams would come back in the same moment."""
    waits = {int(Reader(served).block()["retry"]) for _ in range(20)}
    assert len(waits) > 10
    assert 1000 * COME_BACK[0] <= min(waits) <= max(waits) <= 1000 * COME_BACK[1]


@in_thread
def test_empty_state_is_said(served: Served) -> None:
    assert Reader(served).event() == {"id": "0-0", "data": "{}"}


@in_thread
def test_selection(served: Served) -> None:
    for name in ("a", "db.x", "c"):
        served.post(name, name)
    assert Reader(served, "?streams=a,db.*").message() == {"a": "a", "db.x": "db.x"}
    assert Reader(served, "?streams=").message() == {}


@pytest.mark.parametrize("how", ["header", "query", "header before query"])
@in_thread
def test_resume(served: Served, how: str) -> None:
    served.post("a", 1)
    at = served.cursor()
    served.post("b", 1)
    query, lines = {
        "header": ("", [f"Last-Event-ID: {at}"]),
        "query": (f"?after={at}", []),
        "header before query": ("?after=1-1", [f"Last-Event-ID: {at}"]),
    }[how]
    assert Reader(served, query, *lines).message() == {"b": 1}


@pytest.mark.parametrize("last", ["", "nonsense", "1-1", "é"])
@in_thread
def test_resume_that_cannot_be_is_reported_by_name(served: Served, last: str) -> None:
    served.post("a", 1)
    reader = Reader(served, "", f"Last-Event-ID: {last}")
    assert reader.event() == {"event": "resumed", "data": '{"resumed":false}'}
    assert reader.message() == {"a": 1}


@in_thread
def test_tick_is_a_comment(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "TICK", 0.1)
    reader = Reader(serve())
    reader.event()
    assert reader.block() == {"": "tick"}
    assert reader.block() == {"": "tick"}


@in_thread
def test_long_state_comes_in_events_that_fit(served: Served) -> None:
    for name in "abcd":
        served.post(name, name * 30_000)
    reader = Reader(served)
    first, second = reader.event(), reader.event()
    assert list(json.loads(first["data"])) == ["a", "b"]
    assert list(json.loads(second["data"])) == ["c", "d"]
    # What follows the first is what is left.
    assert list(Reader(served, "", f"Last-Event-ID: {first['id']}").message()) == ["c", "d"]


@in_thread
def test_pace(served: Served) -> None:
    slow, soon, fast = (Reader(served, query) for query in ("?pace=60s", "?pace=400ms", ""))
    for reader in (slow, soon, fast):
        reader.event()
    for number in range(3):
        served.post("a", number)
        assert fast.message() == {"a": number}
    assert slow.message() == {"a": 0}
    while soon.message() != {"a": 2}:
        pass
    slow.wire._socket.settimeout(0)
    assert slow.wire._file.peek() == b""


# -- v1 --------------------------------------------------------------------------------------------


@in_thread
def test_v1_messages_are_named_events(served: Served) -> None:
    served.post("a", 1)
    reader = Reader(served, "?format=v1")
    hello = reader.event()
    assert (hello["event"], "id" in hello) == ("hello", False)
    said = json.loads(hello["data"])
    assert (said["type"], said["resumed"], said["streams"]) == (
        "hello",
        False,
        {"a": {"keep": 100}},
    )
    updates = reader.event()
    assert (updates["event"], updates["id"]) == ("updates", served.cursor())
    assert [u["seq"] for u in json.loads(updates["data"])["updates"]] == [1]


@in_thread
def test_v1_build_follows_the_hello(served: Served) -> None:
    served.post("a", 1)
    reader = Reader(served, "?format=v1")
    assert set(reader.block()) == {"retry"}
    assert reader.block()["event"] == "hello"
    build = reader.block()
    assert build.pop("event") == "build"
    told = served.request("GET", "/walls/all").json()["build"]
    assert {"data": json.dumps({"type": "build", "build": told}, separators=(",", ":"))} == build
    assert reader.block()["event"] == "configuration"
    assert reader.block()["event"] == "updates"


@in_thread
def test_v1_only_the_last_event_of_a_flush_has_an_id(served: Served) -> None:
    reader = Reader(served, "?format=v1")
    reader.event()
    served.post("a", 1)
    flush = [reader.event() for _ in range(3)]
    assert [event["event"] for event in flush] == ["streams", "health", "updates"]
    assert ["id" in event for event in flush] == [False, False, True]


@in_thread
def test_v1_resume(served: Served) -> None:
    served.post("a", 1)
    at = served.cursor()
    served.post("a", 2)
    reader = Reader(served, "?format=v1", f"Last-Event-ID: {at}")
    hello = reader.message()
    assert (hello["at"], hello["resumed"]) == (at, True)
    assert [u["seq"] for u in reader.message()["updates"]] == [2]
    assert Reader(served, "?format=v1", "Last-Event-ID: 1-1").message()["resumed"] is False


@in_thread
def test_v1_history(served: Served) -> None:
    for number in range(4):
        served.post("a", number)
    reader = Reader(served, "?format=v1&history=3")
    reader.event()
    assert [u["seq"] for u in reader.message()["updates"]] == [2, 3, 4]


@in_thread
def test_v1_tick(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "TICK", 0.1)
    reader = Reader(serve(), "?format=v1")
    reader.event()
    tick = reader.event()
    assert tick["event"] == "tick"
    assert json.loads(tick["data"])["proof"] == {}


@in_thread
def test_v1_bye(served: Served) -> None:
    reader = Reader(served, "?format=v1")
    reader.event()
    served.run(served.service.events.close_all)
    assert reader.message() == {"type": "bye", "reason": "restart", "after": [0.5, 8]}
    assert reader.wire.rest() == b""


@in_thread
def test_stream_ends_with_a_tick_after_the_time_asked_for(served: Served) -> None:
    served.post("a", 1)
    reader = Reader(served, "?format=v1&for=1s")
    assert [reader.message()["type"] for _ in range(2)] == ["hello", "updates"]
    served.post("a", 2)
    assert [u["seq"] for u in reader.message()["updates"]] == [2]
    tick = reader.message()
    assert (tick["type"], tick["proof"]) == ("tick", {})
    assert reader.wire.rest() == b""
    wait_until(lambda: not served.service.events.protocols)
    assert served.service.events.finished == 1
    assert served.service._count_left()[0] == 0, "it comes back: no memory to return"


@in_thread
def test_stream_does_not_end_before_its_viewer_has_everything(served: Served) -> None:
    for name in "abcdefgh":
        served.post(name, name * 60_000)
    wire = served.wire(head("GET", "/events?format=v1&for=1ms"), receive_buffer=4096)
    wait_until(lambda: served.service.events.protocols)
    time.sleep(0.3)
    [protocol] = served.service.events.protocols  # it did not end early
    assert protocol._end is not None
    assert not protocol._end.active(), "a viewer that does not read costs no timers"
    types = [line.split()[1] for line in wire.rest().splitlines() if line.startswith(b"event:")]
    assert types[:3] == [b"hello", b"build", b"configuration"]
    assert types[3:] == [b"updates"] * (len(types) - 4) + [b"tick"]
    assert len(types) > 8


@in_thread
def test_plain_stream_ends_too_also_without_updates(served: Served) -> None:
    reader = Reader(served, "?for=10ms")
    assert reader.message() == {}
    assert reader.block() == {"": "tick"}
    assert reader.wire.rest() == b""


# -- HTTP ------------------------------------------------------------------------------------------


@in_thread
def test_reader_that_stalls_in_its_hello_is_not_sent_the_rest_at_the_stop(served: Served) -> None:
    """The rest of a hello is made as it is read: 3 MB of it would be kept for each of them."""
    for first in range(0, 9000, 1000):
        values = {f"{'s' * 100}{number}": 1 for number in range(first, first + 1000)}
        assert served.request("PATCH", "/state", json.dumps(values)).status == 200
    served.wire(head("GET", "/events?format=v1"), receive_buffer=4096)
    [protocol] = wait_until(lambda: list(served.service.events.protocols))
    lengths: list[int] = []
    write = protocol.write

    def counting(data: bytes) -> None:
        lengths.append(len(data))
        write(data)

    def stalls() -> bool:
        """Whether nothing was written for a while: between two parts it is not ready, either."""
        before = len(lengths)
        time.sleep(0.3)
        return bool(protocol.unsent) and not protocol.ready and len(lengths) == before

    protocol.write = counting  # type: ignore[method-assign]
    wait_until(stalls)
    lengths.clear()
    served.run(served.service.events.close_all)
    assert sum(lengths) < 256 * 1024
    wait_until(lambda: not served.service.events.protocols)


@in_thread
def test_what_viewers_leave_unread_is_bounded_for_each_client(served: Served) -> None:
    values = {f"{'s' * 100}{number}": 1 for number in range(2000)}
    assert served.request("PATCH", "/state", json.dumps(values)).status == 200
    seats = served.service.hub.seats
    seats.unread = Quota(2_000_000)
    ask = head("GET", "/events?format=v1")
    wires = [served.wire(ask, receive_buffer=4096) for _ in range(100)]
    heads = [wire.head() for wire in wires]
    refused = [each for each in heads if "503" in each]
    assert 50 < len(refused) < 100
    assert all("retry-after" in each.lower() for each in refused)
    held = [viewer.unread for viewer in served.service.events.protocols]
    assert seats.unread.used == sum(held) <= seats.unread.each + max(held)
    [protocol, *_] = [each for each in served.service.events.protocols if each.unread]
    assert not protocol.is_stalled(0)
    assert protocol.is_stalled(CROWDED + 1), "there is no room for one that reads nothing"
    for wire in wires:
        wire.close()
    wait_until(lambda: not served.service.events.protocols)
    assert seats.unread.used == 0


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?format=v2", "bad-format"),
        ("?history=0", "bad-history"),
        ("?pace=x", "bad-pace"),
        ("?for=4", "bad-for"),
        ("?streams=a%20b", "bad-selection"),
    ],
)
@in_thread
def test_bad_query(served: Served, query: str, code: str) -> None:
    answer = served.request("GET", f"/events{query}")
    assert (answer.status, answer.json()["error"]["code"]) == (400, code)


@in_thread
def test_head_request_is_a_head_alone(served: Served) -> None:
    wire = served.wire(head("HEAD", "/events"))
    assert "text/event-stream" in wire.head()
    assert wire.rest() == b""
    assert not served.service.events.protocols


@in_thread
def test_http_1_0(served: Served) -> None:
    served.post("a", 1)
    assert Reader(served, version="1.0").message() == {"a": 1}


@in_thread
def test_other_methods(served: Served) -> None:
    assert served.request("POST", "/events", "x").status == 405


@in_thread
def test_page_of_another_origin(serve: Serve) -> None:
    served = serve(f'{QUIET}\n[server]\norigins = ["https://intranet.example"]')
    good = Reader(served, "", "Origin: https://intranet.example")
    assert "Access-Control-Allow-Origin: https://intranet.example\r\n" in good.head
    answer = served.wire(head("GET", "/events", "Origin: https://evil.example")).answer()
    assert answer.status == 403


@in_thread
def test_event_streams_count_as_viewers(serve: Serve) -> None:
    served = serve(f"{QUIET}\n[server]\nmax_viewers = 1")
    first = Reader(served)
    first.event()
    assert served.request("GET", "/events").status == 503
    assert served.request("GET", "/updates?after=0-0&wait=0").status == 503
    first.wire.close()
    wait_until(lambda: not served.run(len, served.service.hub))
    assert Reader(served).message() == {}


@in_thread
def test_reader_that_talks_is_dropped(served: Served) -> None:
    reader = Reader(served)
    reader.event()
    try:
        for _ in range(100):
            reader.wire.send(b"x" * 10_000)
    except OSError:
        pass
    wait_until(lambda: not served.service.events.protocols)


@in_thread
def test_lagging_reader_is_bounded_and_catches_up(served: Served) -> None:
    wire = served.wire(head("GET", "/events"), receive_buffer=4096)
    wire.head()
    [protocol] = wait_until(lambda: list(served.service.events.protocols))
    for number in range(200):
        served.post("a", f"{number:03}" + "x" * 60_000)

    def buffered() -> int:
        transport: Any = protocol.transport
        held: int = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
        return held

    assert served.run(buffered) < 200_000
    reader = Reader.__new__(Reader)
    reader.wire = wire
    last = ""
    while last[:3] != "199":
        last = reader.message().get("a", "")
    assert served.run(len, served.service.hub) == 1


def test_curl_shows_each_change_at_once(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(config=QUIET)
    command = ["curl", "-sN", "--max-time", "20", f"{daemon.url}/events?streams=x"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
        assert curl.stdout is not None
        shown = [curl.stdout.readline() for _ in range(5)]
        assert shown[0].startswith("retry: ")
        assert shown[1:] == ["\n", "id: 0-0\n", "data: {}\n", "\n"]
        daemon.request("POST", "/streams/x", "5")
        assert curl.stdout.readline().startswith("id: ")
        assert curl.stdout.readline() == 'data: {"x":5}\n'
        curl.kill()


@in_thread
def test_reader_that_cannot_begin_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch, logged_errors: LoggedErrors
) -> None:
    def broken(self: Hub, *args: Any, **named: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Hub, "join", broken)
        served.wire(head("GET", "/events")).rest()
    assert len(logged_errors.flush(ZeroDivisionError)) == 1
    wait_until(lambda: not served.service.events.protocols)
    assert served.request("GET", "/healthz").status == 200
