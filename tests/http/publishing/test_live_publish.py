"""Publishing on a WebSocket: values, receipts in order, keys, bounds, and who may."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from streamd.http.publishing import live_publish
from streamd.http.publishing.live_publish import MAX_PUBLISHES
from streamd.http.viewers.websocket import MAX_DUE
from streamd.hub.sweep import PONG_WITHIN
from tests.http.publishing.test_hooks import reload
from tests.support.frames import frame
from tests.support.net import wait_until
from tests.support.served import QUIET, Serve, Served, Wire, handshake, in_thread

V1 = "Sec-WebSocket-Protocol: streamd.v1"
TOKEN = "a-token-of-16-characters"


def publisher(served: Served, *lines: str, path: str = "/ws?streams=") -> Wire:
    """A connection that selects nothing, so that only receipts come."""
    host = f"127.0.0.1:{served.port}"
    named = any(line.startswith("Sec-WebSocket-Protocol") for line in lines)
    wire = served.wire(handshake(path, *lines, *(() if named else (V1,)), host=host))
    assert wire.head().startswith("HTTP/1.1 101"), path
    assert wire.message()["type"] == "hello"
    return wire


def say(wire: Wire, message: Any) -> None:
    wire.send(frame(0x81, message if isinstance(message, bytes) else json.dumps(message).encode()))


def publish(wire: Wire, *updates: Any, **more: Any) -> Any:
    say(wire, {"type": "publish", "updates": list(updates), **more})
    return wire.message()


def update(stream: str, value: Any, **more: Any) -> Any:
    return {"stream": stream, "value": value, **more}


def code(receipt: Any) -> Any:
    assert receipt["type"] == "receipt", receipt
    return receipt["error"]["code"]


@in_thread
def test_receipt_comes_once_the_journal_has_it(served: Served) -> None:
    wire = publisher(served)
    receipt = publish(wire, update("a", 1), update("b", "two", time=7.5), update("a", None))
    assert receipt == {"type": "receipt", "at": served.cursor(), "seq": [1, 1, 2]}
    assert served.state() == {"a": None, "b": "two"}
    about = served.request("GET", "/streams/b").json()
    assert about["time"] == 7.5
    assert publish(wire) == {"type": "receipt", "seq": []}
    assert served.service.publisher.published == 3


@in_thread
def test_values_go_through_as_they_are(served: Served) -> None:
    wire = publisher(served)
    for value in (0, -0.5, True, "é", [1, [2]], {"a": {"b": 1}}, 12345678901234567890123):
        assert publish(wire, update("a", value))["seq"]
        assert served.state() == {"a": value}


@in_thread
def test_errors_name_the_update(served: Served) -> None:
    wire = publisher(served)
    good = update("a", 1)
    for bad, wanted in (
        (update("-", 1), "bad-name"),
        (update("a" * 129, 1), "bad-name"),
        (update("a", 1, time=-1), "bad-time"),
    ):
        receipt = publish(wire, good, bad, good)
        assert (code(receipt), receipt["error"]["index"]) == (wanted, 1)
        assert receipt["error"]["message"].startswith("updates[1]: ")
    say(wire, b'{"type":"publish","updates":[{"stream":"a","value":1e999}]}')
    assert code(wire.message()) == "bad-value"
    for text in (
        b'{"type":"publish"}',
        b'{"type":"publish","updates":[{"stream":"a","value":1},{"stream":"a"}]}',
        b'{"type":"publish","updates":[{"stream":7,"value":1}]}',
        b'{"type":"publish","updates":[{"stream":"a","value":NaN}]}',
        b'{"type":"publish","updates":{}}',
        b'{"type":"publish","updates":[],"key":7}',
    ):
        say(wire, text)
        error = wire.message()
        assert (error["type"], error["code"]) == ("error", "bad-message"), text
    assert served.state() == {}


@in_thread
def test_key_makes_a_repetition_count_once(served: Served) -> None:
    wire = publisher(served)
    first = publish(wire, update("a", 1), key="k1")
    assert first["key"] == "k1"
    assert publish(wire, update("a", 1), key="k1") == first
    assert publish(publisher(served), update("a", 1), key="k1") == first
    conflict = publish(wire, update("a", 2), key="k1")
    assert (code(conflict), conflict["key"]) == ("conflict", "k1")
    assert code(publish(wire, update("a", 1), key="k 1")) == "bad-key"
    posted = served.request("POST", "/streams/a", "1", {"Idempotency-Key": "k1"})
    assert posted.status == 409
    assert served.request("GET", "/streams/a").json()["seq"] == 1


@in_thread
def test_receipts_are_in_the_order_of_the_messages(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, held = publisher(served), []
    append = served.service.journal.append

    def slow(drafts: Any, *args: Any, **kwargs: Any) -> Any:
        appended = append(drafts, *args, **kwargs)
        if drafts[0].stream != "slow":
            return appended
        held.append(appended)
        waiting: Deferred[Any] = Deferred()
        held.append(waiting)
        return waiting

    monkeypatch.setattr(served.service.journal, "append", slow)
    for name in ("slow", "-", "quick"):
        say(wire, {"type": "publish", "updates": [update(name, 1)], "key": name})
    say(wire, {"type": "subscribe", "streams": []})
    wait_until(lambda: served.run(lambda: served.service.state.get("quick")))
    served.run(lambda: held[0].addCallback(held[1].callback))
    answers = [wire.message() for _ in range(4)]
    assert [a.get("key") for a in answers] == ["slow", "-", "quick", None]
    assert ["error" in a for a in answers] == [False, True, False, False]
    assert answers[3]["type"] == "hello"


class SlowJournal:
    """Appends one update only when it is told to."""

    def __init__(self, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        self._served = served
        self._append = served.service.journal.append
        self.waiting: list[Any] = []
        monkeypatch.setattr(served.service.journal, "append", self._hold)

    def _hold(self, *args: Any, **kwargs: Any) -> Deferred[Any]:
        appended: Deferred[Any] = Deferred()
        self.waiting.append((appended, args, kwargs))
        return appended

    def let(self, count: int) -> None:
        def append() -> None:
            for _ in range(count):
                appended, args, kwargs = self.waiting.pop(0)
                self._append(*args, **kwargs).chainDeferred(appended)

        self._served.run(append)


@pytest.fixture
def journal(served: Served, monkeypatch: pytest.MonkeyPatch) -> SlowJournal:
    return SlowJournal(served, monkeypatch)


@in_thread
def test_fast_publisher_is_read_no_faster_than_its_receipts_are_made(
    served: Served, journal: SlowJournal
) -> None:
    wire = publisher(served)
    said = [{"type": "publish", "updates": [update("a", n)]} for n in range(3 * MAX_PUBLISHES)]
    wire.send(b"".join(frame(0x81, json.dumps(each).encode()) for each in said))
    for _ in range(3):
        wait_until(lambda: len(journal.waiting) == MAX_PUBLISHES)
        served.run(lambda: None)
        assert len(journal.waiting) == MAX_PUBLISHES
        journal.let(MAX_PUBLISHES)
    seen = [wire.message() for _ in said]
    assert [receipt["seq"] for receipt in seen] == [[n + 1] for n in range(len(said))]
    assert served.state() == {"a": len(said) - 1}


@in_thread
def test_other_messages_may_follow_many_publishes(served: Served, journal: SlowJournal) -> None:
    wire = publisher(served)
    for n in range(MAX_PUBLISHES - 1):
        say(wire, {"type": "publish", "updates": [update("a", n)]})
    for _ in range(2 * MAX_DUE):
        say(wire, {"type": "subscribe", "streams": ["b"]})
    wait_until(lambda: len(journal.waiting) == MAX_PUBLISHES - 1)
    journal.let(MAX_PUBLISHES - 1)
    types = [wire.message()["type"] for _ in range(MAX_PUBLISHES - 1 + 2 * MAX_DUE)]
    assert types == ["receipt"] * (MAX_PUBLISHES - 1) + ["hello"] * 2 * MAX_DUE


@in_thread
def test_publisher_that_waits_for_the_journal_is_not_taken_for_dead(
    served: Served, journal: SlowJournal
) -> None:
    wire = publisher(served)
    for n in range(MAX_PUBLISHES + 1):
        say(wire, {"type": "publish", "updates": [update("a", n)]})
    wait_until(lambda: len(journal.waiting) == MAX_PUBLISHES)
    [viewer] = served.service.viewers.protocols
    now = served.service.reactor.seconds()
    served.run(viewer.ping, now)
    while wire.frame()[0] != 9:
        pass  # the messages after the hello
    wire.send(frame(0x8A, b""))
    served.run(viewer.check_pong, now + 2 * PONG_WITHIN)
    journal.let(MAX_PUBLISHES)
    wait_until(lambda: len(journal.waiting) == 1)
    journal.let(1)
    assert [wire.message()["seq"] for _ in range(MAX_PUBLISHES + 1)][-1] == [MAX_PUBLISHES + 1]


@in_thread
def test_connection_that_is_not_read_closes_when_the_daemon_stops(
    served: Served, journal: SlowJournal
) -> None:
    wire = publisher(served)
    for n in range(2 * MAX_PUBLISHES):
        say(wire, {"type": "publish", "updates": [update("a", n)]})
    wait_until(lambda: len(journal.waiting) == MAX_PUBLISHES)
    [viewer] = served.service.viewers.protocols
    served.run(viewer.restart)
    assert wire.message()["type"] == "bye"
    assert wire.close_code() == 1012
    assert len(journal.waiting) == MAX_PUBLISHES, (
        "what came after the close frame was not published"
    )
    journal.let(MAX_PUBLISHES)


@in_thread
def test_failure_of_the_daemon_is_reported_without_its_reason(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> Any:
        raise ZeroDivisionError("s3cret")

    wire = publisher(served)
    monkeypatch.setattr(served.service.publisher, "append", broken)
    logged: list[Any] = []
    monkeypatch.setattr(
        live_publish.LivePublisher, "_log", type("Log", (), {"failure": logged.append})
    )
    receipt = publish(wire, update("a", 1))
    assert code(receipt) == "internal"
    assert "s3cret" not in str(receipt)
    assert logged


# -- who may ---------------------------------------------------------------------------------------

WITH_TOKENS = f"""
[access]
view = ["view-every-stream"]
publish = ["{TOKEN}", {{ token = "only-for-builds--", streams = ["build.*"] }}]
admin = ["administrator-all"]
"""


def with_token(token: str) -> str:
    encoded = urlsafe_b64encode(token.encode()).rstrip(b"=").decode()
    return f"Sec-WebSocket-Protocol: streamd.v1, streamd.token.{encoded}"


@in_thread
def test_tokens(serve: Serve) -> None:
    served = serve(WITH_TOKENS)
    for token, stream, wanted in (
        (TOKEN, "a", None),
        ("only-for-builds--", "build.x", None),
        ("only-for-builds--", "a", "no-right"),
        ("administrator-all", "a", None),
        ("view-every-stream", "a", "no-right"),
    ):
        for line in (f"Authorization: Bearer {token}", with_token(token)):
            receipt = publish(publisher(served, line), update(stream, 1))
            assert receipt.get("error", {}).get("code") == wanted, (token, stream)
    wire = publisher(served, f"Authorization: Bearer {TOKEN}")
    for streams in (["a"], None, ["*"]):
        say(wire, {"type": "subscribe", "streams": streams})
        told = wire.message()
        assert told.get("code") == "no-right" if streams == ["a"] else told["streams"] == {}
    host = f"127.0.0.1:{served.port}"
    for lines, path, status in (
        ([f"Authorization: Bearer {TOKEN}"], "/ws", 403),
        ([f"Authorization: Bearer {TOKEN}"], "/ws?streams=a", 403),
        (["Authorization: Bearer wrong"], "/ws?streams=", 401),
        ([], "/ws?streams=", 401),
    ):
        answer = served.wire(handshake(path, V1, *lines, host=host)).answer()
        assert answer.status == status, (lines, path)


@in_thread
def test_pages_and_programs_without_a_token(serve: Serve) -> None:
    origins = 'origins = ["https://reads.example"]\npublish_origins = ["https://writes.example"]'
    quiet = f"{QUIET}\n[server]\n{origins}"
    for text, lines, wanted in (
        (quiet, (), None),
        (quiet, ("Origin: https://writes.example",), None),
        (quiet, ("Origin: https://reads.example",), "foreign-origin"),
        (quiet, ("X-Forwarded-For: 10.0.0.1",), "no-token"),
        ("", (), "no-token"),
    ):
        receipt = publish(publisher(serve(text), *lines), update("a", 1))
        assert receipt.get("error", {}).get("code") == wanted, (text, lines)


@in_thread
def test_rights_are_those_of_the_moment(serve: Serve) -> None:
    served = serve(WITH_TOKENS + "[server]\n")
    by_token = publisher(served, f"Authorization: Bearer {TOKEN}")
    assert "seq" in publish(by_token, update("a", 1))
    reload(served, WITH_TOKENS.replace(TOKEN, "another-token-of-16"))
    assert code(publish(by_token, update("a", 2))) == "no-right"
    local = serve()
    without = publisher(local)
    assert "seq" in publish(without, update("a", 1))
    reload(local, "[access]\npublish = []\n")
    assert code(publish(without, update("a", 2))) == "signed-out"


@in_thread
def test_plain_viewers_publish_nothing(served: Served) -> None:
    with served.connect() as viewer:
        viewer.recv(20)
        viewer.send(json.dumps({"type": "publish", "updates": [update("a", 1)]}))
        served.post("b", 1)
        assert json.loads(viewer.recv(20)) == {"b": 1}
    assert served.state() == {"b": 1}
