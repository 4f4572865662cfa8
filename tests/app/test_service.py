"""The parts put together: what one part's failure does to the others, and how it starts and stops."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from twisted.internet.defer import Deferred

from streamd.app import service
from streamd.http.viewers import websocket
from streamd.reactor import connections
from streamd.sources.feed import Feed
from streamd.sources.random_walk import RandomWalk
from tests.support.net import accepts, wait_until
from tests.support.served import Serve, Served, head, in_thread
from tests.support.tidy import LoggedErrors

TWO_WALKS = """
[sources.one]
kind = "random_walk"
[sources.two]
kind = "random_walk"
"""


@in_thread
def test_demo_stream_grows_and_all_see_the_same(serve: Serve) -> None:
    served = serve(None)
    with served.connect("/") as one, served.connect("/ws") as other:
        ones = [json.loads(one.recv(timeout=20))["variable"] for _ in range(4)]
        others = [json.loads(other.recv(timeout=20))["variable"] for _ in range(4)]
    told = served.request("GET", "/streams/variable?history=100").json()["history"]
    values = [update["value"] for update in told]
    assert values[0] == 0
    assert all(1 <= after - before <= 10 for before, after in pairwise(values))
    # Two that follow one another at once come as one, and who comes later begins later.
    assert all(before < after for seen in (ones, others) for before, after in pairwise(seen))
    assert {*ones, *others} <= set(values)


@in_thread
def test_value_is_on_every_viewer_soon(served: Served) -> None:
    with served.connect() as one, served.connect("/?streams=orders") as other:
        assert one.recv(timeout=20) == other.recv(timeout=20) == "{}"
        served.post("orders", 42)
        assert one.recv(timeout=20) == other.recv(timeout=20) == '{"orders":42}'


@in_thread
def test_source_that_cannot_start_stops_no_other(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, logged_errors: LoggedErrors
) -> None:
    start = RandomWalk.start
    began: list[Feed] = []

    def first_fails(self: RandomWalk, feed: Feed) -> None:
        began.append(feed)
        if len(began) == 1:
            raise ZeroDivisionError("a secret")
        start(self, feed)

    monkeypatch.setattr(RandomWalk, "start", first_fails)
    served = serve(TWO_WALKS)
    assert served.state() == {"two": 0} or set(served.state()) == {"two"}
    health = served.request("GET", "/streams").json()["streams"]["one"]["health"]
    assert health["state"] == "failed"
    assert "secret" not in health["error"]
    assert len(logged_errors.flush(ZeroDivisionError)) == 1


@in_thread
def test_viewer_that_throws_is_lost_alone(served: Served, logged_errors: LoggedErrors) -> None:
    with served.connect() as victim:
        assert victim.recv(timeout=20) == "{}"
        [protocol] = served.service.viewers.protocols

        def write(data: bytes) -> None:
            raise ZeroDivisionError

        protocol.write = write  # type: ignore[method-assign]
        with served.connect() as other:
            assert other.recv(timeout=20) == "{}"
            served.post("a", 1)
            served.post("a", 2)
            assert [other.recv(timeout=20) for _ in range(2)] == ['{"a":1}', '{"a":2}']
            assert protocol not in served.service.viewers.protocols
    assert served.service.hub.dropped == 1
    assert len(logged_errors.flush(ZeroDivisionError)) == 1


@in_thread
def test_stop_closes_everything(serve: Serve) -> None:
    served = serve(TWO_WALKS)
    port = served.port
    idle = served.wire(head("GET", "/healthz"))
    assert idle.answer().status == 200
    poll = served.wire(head("GET", "/updates?streams=none&after=0-0&wait=20"))
    events = served.wire(head("GET", "/events"))
    assert " 200 " in events.head()
    with served.connect() as viewer:
        viewer.recv(timeout=20)
        stopped: Deferred[None] = served.run(lambda: [served.service.stopService()])[0]
        wait_until(lambda: stopped.called)
    assert not accepts(port)
    for wire in (idle, poll, events):
        wire.rest()
    assert not served.service.site.channels
    assert not served.service.events.protocols
    assert not served.service.viewers.protocols


@in_thread
def test_a_stop_without_clients_is_immediate(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for, or this would take an hour."""
    for module, name in (
        (service, "STOP_WITHIN"),
        (connections, "CLOSE_GRACE"),
        (websocket, "CLOSE_GRACE"),
    ):
        monkeypatch.setattr(module, name, 3600)
    served = serve(TWO_WALKS)
    assert served.request("GET", "/healthz").status == 200
    stopped: Deferred[None] = served.run(lambda: [served.service.stopService()])[0]
    wait_until(lambda: stopped.called)


@in_thread
def test_what_was_asked_is_answered_before_the_end(serve: Serve) -> None:
    """Also by a daemon that nobody else keeps from ending at once."""
    served = serve()
    served.post("a", 1)
    at = served.request("GET", "/state").headers["Streamd-Position"]
    poll = served.wire(head("GET", f"/updates?streams=none&after={at}&wait=20"))
    events = served.wire(head("GET", "/events?format=v1"))
    wait_until(lambda: len(served.service.hub) == 2)
    stopped: Deferred[None] = served.run(lambda: [served.service.stopService()])[0]
    answer = poll.answer()
    assert (answer.status, answer.headers["Streamd-Position"]) == (204, at)
    assert poll.rest() == b""
    assert b"event: bye\n" in events.rest()
    wait_until(lambda: stopped.called)


@in_thread
def test_answer_that_is_not_read_does_not_keep_it_from_ending(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CLOSE_GRACE", 0.2)
    served = serve()
    for number in range(100):
        served.post(f"s{number}", "x" * 60_000)
    wire = served.wire(head("GET", "/state"), receive_buffer=4096)
    assert wire.head().startswith("HTTP/1.1 200")
    stopped: Deferred[None] = served.run(lambda: [served.service.stopService()])[0]
    wait_until(lambda: stopped.called)
    wait_until(lambda: not served.service.site.channels)


@in_thread
def test_parts_end_with_the_service_whatever_they_do(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: RandomWalk) -> None:
        real(self)
        raise ZeroDivisionError

    real = RandomWalk.stop
    monkeypatch.setattr(RandomWalk, "stop", stop)
    served = serve(TWO_WALKS)
    with served.connect() as viewer:
        viewer.recv(timeout=20)
        stopped: Deferred[None] = served.run(lambda: [served.service.stopService()])[0]
        wait_until(lambda: stopped.called)
