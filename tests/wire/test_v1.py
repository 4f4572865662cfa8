"""``streamd.v1`` over real TCP, item by item as docs/protocol.rst promises it."""

from __future__ import annotations

import json
import re
import struct
import zlib
from typing import Any

import pytest
from twisted.logger import globalLogPublisher

from streamd.app import upkeep
from streamd.core.update import LIFE_UNIT, ORIGIN, Position, Update
from streamd.core.values import MAX_VALUE
from streamd.http.viewers.websocket import FRAMES_PER_SECOND
from streamd.wire.encoding import MAX_MESSAGE
from tests.support.fakes import fail_source, prove
from tests.support.net import wait_until
from tests.support.served import QUIET, Serve, Served, Wire, flush_all, frame, handshake, in_thread

TEXT, BINARY, CLOSE, PING = 0x81, 0x82, 0x88, 0x89
DESCRIBED = f"""{QUIET}
[streams.load]
title = "Load"
unit = "%"
keep = 3
warn = "> 50"
critical = "> 90"
[streams.pulse]
expect = "1s"
"""


def v1(served: Served, query: str = "", *lines: str) -> Wire:
    """A viewer by hand: after its handshake."""
    wire = served.wire(handshake(f"/ws{query}", "Sec-WebSocket-Protocol: streamd.v1", *lines))
    assert "Sec-WebSocket-Protocol: streamd.v1\r\n" in wire.head()
    return wire


def say(wire: Wire, message: Any) -> None:
    text = message if isinstance(message, bytes) else json.dumps(message).encode()
    wire.send(frame(TEXT, text))


def next_of(wire: Wire, *kinds: str) -> Any:
    """The next message of these types."""
    while True:
        message = wire.message()
        if message["type"] in kinds:
            return message


def seqs(message: Any) -> list[tuple[str, int]]:
    """What is in an updates message: (stream, seq)."""
    assert message["type"] == "updates", message
    return [(update["stream"], update["seq"]) for update in message["updates"]]


# -- hello, and what follows it --------------------------------------------------------------------


@in_thread
def test_hello(serve: Serve) -> None:
    served = serve(DESCRIBED)
    served.post("load", 60)
    hello = v1(served).message()
    assert list(hello) == [
        "type", "server", "now", "at", "resumed", "tick", "more", "streams", "health",
    ]  # fmt: skip
    assert re.fullmatch(r"streamd/[0-9.]+", hello["server"])
    assert (hello["at"], hello["resumed"], hello["tick"], hello["more"]) == ("0-0", False, 5, True)
    assert hello["streams"] == {
        "load": {"title": "Load", "unit": "%", "keep": 3, "warn": "> 50", "critical": "> 90"},
        "pulse": {"keep": 100, "expect": 1.0},
    }
    health = hello["health"]["load"]
    assert (health["state"], health["level"]) == ("fresh", "warn")
    assert health["since"] <= health["proof"] <= hello["now"]
    assert hello["health"]["pulse"]["proof"] is None


@in_thread
def test_first_answer_is_the_newest_of_each_in_the_order_of_the_log(served: Served) -> None:
    for name in ("a", "b", "a"):
        served.post(name, name)
    wire = v1(served)
    wire.message()
    updates = wire.message()
    assert seqs(updates) == [("b", 1), ("a", 2)]
    assert updates["at"] == updates["updates"][-1]["at"] == served.cursor()
    assert set(updates["updates"][0]) == {"stream", "seq", "at", "time", "value"}
    assert "more" not in updates


@in_thread
def test_build_follows_the_hello_of_a_connection_alone(served: Served) -> None:
    served.post("a", 1)
    wire = v1(served)
    hello, build, configuration, updates = [wire.any_message() for _ in range(4)]
    wall = served.request("GET", "/walls/all").json()
    assert build == {"type": "build", "build": wall["build"]}
    assert configuration == {
        "type": "configuration",
        "build": wall["build"],
        "walls": wall["version"],
        "trouble": None,
    }
    assert (hello["type"], updates["type"]) == ("hello", "updates")
    say(wire, {"type": "subscribe"})
    assert [wire.any_message()["type"] for _ in range(2)] == ["hello", "updates"]


@in_thread
def test_build_follows_a_long_hello_and_a_resumed_one(served: Served) -> None:
    served.request("PATCH", "/state", json.dumps({f"{n:04}{'n' * 60}": 0 for n in range(1200)}))
    wire = v1(served, f"?after={served.cursor()}")
    hello = wire.any_message()
    assert (hello["resumed"], len(hello["streams"])) == (True, 1200)
    assert wire.any_message()["type"] == "build"


@in_thread
def test_plain_viewer_hears_of_no_build(served: Served) -> None:
    wire = served.wire(handshake())
    wire.head()
    served.post("a", 1)
    assert [wire.any_message() for _ in range(2)] == [{}, {"a": 1}]


@in_thread
def test_without_streams_a_hello_is_all(served: Served) -> None:
    wire = v1(served)
    assert wire.message()["more"] is False
    served.post("a", 1)
    assert wire.message() == {"type": "streams", "streams": {"a": {"keep": 100}}}
    assert wire.message()["type"] == "health"
    assert seqs(wire.message()) == [("a", 1)]


@in_thread
def test_history_includes_the_newest(served: Served) -> None:
    for number in range(5):
        served.post("a", number)
    wire = v1(served, "?history=3")
    wire.message()
    assert seqs(wire.message()) == [("a", 3), ("a", 4), ("a", 5)]


@in_thread
def test_long_answer_is_cut_and_says_so(served: Served) -> None:
    for name in "abcd":
        served.post(name, name * 30_000)
    wire = v1(served)
    assert wire.message()["more"] is True
    first, second = wire.message(), wire.message()
    assert (seqs(first), seqs(second)) == ([("a", 1), ("b", 1)], [("c", 1), ("d", 1)])
    assert (first["more"], "more" in second) == (True, False)
    assert first["at"] == first["updates"][-1]["at"]


@in_thread
def test_an_update_larger_than_a_message_is_one_of_its_own(served: Served) -> None:
    served.post("a", "a" * (MAX_VALUE - 2))
    served.post("b", 1)
    wire = v1(served)
    wire.message()
    first = wire.message()
    assert len(json.dumps(first, separators=(",", ":"))) > MAX_MESSAGE
    assert seqs(first) == [("a", 1)]
    assert seqs(wire.message()) == [("b", 1)]


# -- resuming --------------------------------------------------------------------------------------


@in_thread
def test_resume_gives_exactly_what_was_missed(served: Served) -> None:
    served.post("a", 1)
    at = served.cursor()
    served.post("a", 2)
    served.post("b", 1)
    wire = v1(served, f"?after={at}&history=50")
    hello = wire.message()
    assert (hello["at"], hello["resumed"], hello["more"]) == (at, True, True)
    assert seqs(wire.message()) == [("a", 2), ("b", 1)]


@in_thread
def test_resume_without_news_is_a_hello_alone(served: Served) -> None:
    served.post("a", 1)
    at = served.cursor()
    wire = v1(served, f"?after={at}")
    hello = wire.message()
    assert (hello["at"], hello["resumed"], hello["more"]) == (at, True, False)
    served.post("a", 2)
    assert seqs(wire.message()) == [("a", 2)]


@in_thread
def test_origin_is_valid_in_every_log(served: Served) -> None:
    served.post("a", 1)
    served.post("a", 2)
    wire = v1(served, "?after=0-0")
    assert wire.message()["resumed"] is True
    assert seqs(wire.message()) == [("a", 1), ("a", 2)]


@pytest.mark.parametrize(
    "after", ["", "nonsense", "1-2", "9" * 15 + "-1", "-1-0", "0x1-0", "1" * 99]
)
@in_thread
def test_cursor_that_cannot_be_resumed_from(served: Served, after: str) -> None:
    served.post("a", 1)
    wire = v1(served, f"?after={after}")
    hello = wire.message()
    assert (hello["at"], hello["resumed"], hello["more"]) == ("0-0", False, True)
    assert seqs(wire.message()) == [("a", 1)]


@in_thread
def test_cursor_from_the_future(served: Served) -> None:
    served.post("a", 1)
    ms, n = served.cursor().split("-")
    assert v1(served, f"?after={int(ms) + 60_000}-{n}").message()["resumed"] is False


@in_thread
def test_what_was_lost_counts_only_if_it_is_selected(serve: Serve) -> None:
    served = serve(DESCRIBED)
    served.post("load", 0)
    served.post("other", 0)
    at = served.cursor()
    for number in range(4):
        served.post("load", number)
    assert v1(served, f"?after={at}").message()["resumed"] is False
    assert v1(served, f"?after={at}&streams=load").message()["resumed"] is False
    assert v1(served, f"?after={at}&streams=other").message()["resumed"] is True


@in_thread
def test_cursor_from_before_a_stream_was_forgotten(served: Served) -> None:
    served.post("a", 1)
    served.post("b", 1)
    at = served.cursor()
    served.request("DELETE", "/streams/a")
    served.post("a", 1)
    assert v1(served, f"?after={at}").message()["resumed"] is False
    assert v1(served, f"?after={at}&streams=b").message()["resumed"] is True


@in_thread
def test_viewer_that_missed_a_removed_tombstone_begins_anew(serve: Serve) -> None:
    """It lags so far that not even the tombstone is left of what it still shows."""
    served = serve(f"{QUIET}\n[server]\nmax_streams = 1")
    wire = v1(served, "?pace=500ms")
    wire.message()
    served.post("a", 1)
    assert seqs(next_of(wire, "updates")) == [("a", 1)]
    at = served.cursor()
    served.post_at_once(*((name, value) for name in "abc" for value in (2, ...)))
    assert wire.rest() == b""
    again = v1(served, f"?after={at}").message()
    assert (again["resumed"], again["streams"]) == (False, {})


# -- selecting -------------------------------------------------------------------------------------


@in_thread
def test_empty_list_selects_nothing(served: Served) -> None:
    served.post("a", 1)
    wire = v1(served, "?streams=")
    hello = wire.message()
    assert (hello["streams"], hello["health"], hello["more"]) == ({}, {}, False)
    served.post("a", 2)
    say(wire, {"type": "subscribe", "streams": []})
    assert wire.message()["type"] == "hello"


@in_thread
def test_glob_selects_what_appears_later(served: Served) -> None:
    wire = v1(served, "?streams=db.*,x")
    wire.message()
    for name in ("other", "db.rows", "x"):
        served.post(name, 1)
    found: list[tuple[str, int]] = []
    while len(found) < 2:
        found += seqs(next_of(wire, "updates"))
    assert found == [("db.rows", 1), ("x", 1)]


@in_thread
def test_subscribe_anew_without_a_cursor(served: Served) -> None:
    for name in "ab":
        served.post(name, 1)
        served.post(name, 2)
    wire = v1(served, "?streams=a")
    wire.message(), wire.message()
    say(wire, {"type": "subscribe", "streams": ["a", "b"], "history": 2})
    hello = wire.message()
    assert (hello["at"], hello["resumed"], set(hello["streams"])) == ("0-0", False, {"a", "b"})
    assert seqs(wire.message()) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


@in_thread
def test_subscribe_waits_until_the_one_before_is_answered(served: Served) -> None:
    # So many that their names are matched in slices, between which the viewer is heard.
    served.post_at_once(*((f"s{number}", number) for number in range(6000)))
    wire = v1(served, "?streams=s1")
    wire.message()
    at = wire.message()["at"]
    text = b'{"type":"subscribe","streams":[%s],"after":"%s"}'
    both = [text % (streams, at.encode()) for streams in (b'"*1","*2"', b'"*1"')]
    wire.send(b"".join(frame(TEXT, each) for each in both))
    told: set[str] = set()
    hellos = 0
    while hellos < 2 or len(told) < 599:
        message = next_of(wire, "hello", "updates")
        hellos += message["type"] == "hello"
        if message["type"] == "updates":
            told |= {name for name, _ in seqs(message) if name.endswith("1")}


@in_thread
def test_newly_selected_stream_gets_its_newest_for_any_after(served: Served) -> None:
    served.post("b", 1)
    served.post("b", 2)
    served.post("a", 1)
    wire = v1(served, "?streams=a")
    wire.message()
    at = wire.message()["at"]
    say(wire, {"type": "subscribe", "streams": ["*"], "after": at})
    hello = wire.message()
    assert (hello["at"], hello["resumed"], hello["more"]) == (at, True, True)
    assert seqs(wire.message()) == [("b", 2)]
    served.post("a", 2)
    assert seqs(wire.message()) == [("a", 2)]


@in_thread
def test_narrower_and_wider_again(served: Served) -> None:
    for name in "ab":
        served.post(name, 1)
    wire = v1(served)
    wire.message()
    at = wire.message()["at"]
    say(wire, {"type": "subscribe", "streams": ["a"], "after": at})
    assert set(wire.message()["streams"]) == {"a"}
    served.post("b", 2)
    served.post("a", 2)
    assert seqs(wire.message()) == [("a", 2)]
    say(wire, {"type": "subscribe", "after": served.cursor()})
    assert wire.message()["resumed"] is True
    assert seqs(wire.message()) == [("b", 2)]


@in_thread
def test_pipelined_subscribes_are_each_answered(served: Served) -> None:
    served.post("a", 1)
    wire = v1(served, "?streams=")
    wire.message()
    text = b'{"type":"subscribe","streams":["%s"]}'
    wire.send(frame(TEXT, text % b"a") + frame(TEXT, text % b"b") + frame(TEXT, text % b"a"))
    assert wire.message()["streams"] == {"a": {"keep": 100}}
    assert seqs(wire.message()) == [("a", 1)]
    assert wire.message()["streams"] == {}
    assert wire.message()["streams"] == {"a": {"keep": 100}}
    assert seqs(wire.message()) == [("a", 1)]


# -- what changes beside the values ----------------------------------------------------------------


@in_thread
def test_forgotten_stream_is_null(served: Served) -> None:
    served.post("a", 1)
    wire = v1(served)
    wire.message(), wire.message()
    served.request("DELETE", "/streams/a")
    assert wire.message() == {"type": "streams", "streams": {"a": None}}
    served.post("a", 5)
    assert wire.message() == {"type": "streams", "streams": {"a": {"keep": 100}}}
    assert wire.message()["type"] == "health"
    assert seqs(wire.message()) == [("a", 1)]


@in_thread
def test_forgotten_stream_that_is_configured_continues_without_a_value(serve: Serve) -> None:
    served = serve(DESCRIBED)
    served.post("load", 99)
    wire = v1(served, "?streams=load")
    wire.message(), wire.message()
    served.request("DELETE", "/streams/load")
    assert wire.message() == {"type": "streams", "streams": {"load": None}}
    assert wire.message()["streams"]["load"]["title"] == "Load"
    health = wire.message()["health"]["load"]
    assert (health["level"], health["proof"]) == ("ok", None)


@in_thread
def test_level_is_reported_before_the_update_that_changed_it(serve: Serve) -> None:
    served = serve(DESCRIBED)
    served.post("load", 1)
    wire = v1(served, "?streams=load")
    wire.message(), wire.message()
    served.post("load", 95)
    health = wire.message()
    assert (health["type"], health["health"]["load"]["level"]) == ("health", "critical")
    assert seqs(wire.message()) == [("load", 2)]


@in_thread
def test_late_is_reported_without_an_update(serve: Serve) -> None:
    served = serve(DESCRIBED)
    wire = v1(served, "?streams=pulse")
    served.post("pulse", 1)
    seqs(next_of(wire, "updates"))
    while next_of(wire, "health")["health"]["pulse"]["state"] != "late":
        pass


@in_thread
def test_failed_source_is_reported_with_its_reason(served: Served) -> None:
    wire = v1(served)
    wire.message()
    streamd = served.service

    def fail() -> None:
        fail_source(streamd.state, "shop", "database unreachable", streamd.now())
        streamd.hub.wake()

    served.run(fail)
    assert wire.message() == {"type": "streams", "streams": {"shop": {"keep": 100}}}
    health = wire.message()["health"]["shop"]
    assert (health["state"], health["error"]) == ("failed", "database unreachable")


@in_thread
def test_journal(served: Served) -> None:
    wire = v1(served)
    assert "journal" not in wire.message()
    streamd = served.service

    def told(why: str | None) -> Any:
        served.run(streamd.away, why)
        message = wire.message()
        assert message.pop("type") == "journal"
        assert v1(served).message()["journal"] == message
        assert message.pop("since") > 0
        return message

    assert told("no answer") == {"state": "away", "error": "no answer"}
    assert told("the disk is full") == {"state": "away", "error": "the disk is full"}
    assert told(None) == {"state": "ok", "error": None}


@in_thread
def test_another_log(served: Served) -> None:
    served.post("a", 1)
    served.post("b", 1)
    wire = v1(served)
    at = [wire.message(), wire.message()][1]["at"]
    held = [Update("b", 1, Position(1, LIFE_UNIT), 1.0, b"2")]
    served.run(served.service.restore, 1, held, ORIGIN, {})
    with pytest.raises(ConnectionError):
        wire.message()
    again = v1(served, f"?after={at}")
    hello = again.message()
    assert (hello["resumed"], hello["at"], set(hello["streams"])) == (False, "0-0", {"b"})
    assert hello["health"]["b"]["state"] == "late"
    assert [(u["stream"], u["seq"]) for u in again.message()["updates"]] == [("b", 1)]


@in_thread
def test_tick_has_the_proofs_since_the_last(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "TICK", 0.1)
    served = serve()
    served.post("a", 1)
    wire = v1(served)
    proof = wire.message()["health"]["a"]["proof"]
    first = next_of(wire, "tick")
    assert first["proof"] in ({"a": proof}, {})
    assert next_of(wire, "tick") == {
        "type": "tick",
        "now": pytest.approx(proof, abs=60),
        "proof": {},
    }


@in_thread
def test_tick_never_proves_a_value_that_the_viewer_has_not_got(served: Served) -> None:
    served.post("a", 1)
    wire = v1(served, "?pace=60s")
    wire.message(), wire.message()
    streamd = served.service

    def update_and_tick() -> None:
        flush_all(streamd.hub)  # the pace's one flush; the next is a minute away
        prove(streamd.state, ["a"], streamd.now())
        streamd.upkeep.tick()

    served.run(update_and_tick)
    assert set(next_of(wire, "tick")["proof"]) == {"a"}
    served.post("a", 2)
    served.run(streamd.upkeep.tick)
    say(wire, {"type": "subscribe", "after": "0-0"})
    before = []
    while (message := wire.message())["type"] != "hello":
        before.append(message)
    assert [m["proof"] for m in before if m["type"] == "tick"] in ([], [{}])
    assert not [m for m in before if m["type"] == "updates"]


@in_thread
def test_long_tick_arrives_whole(served: Served) -> None:
    names = [f"{number:04}{'n' * 60}" for number in range(1200)]
    served.request("PATCH", "/state", json.dumps(dict.fromkeys(names, 0)))
    wire = v1(served)
    while True:
        message = wire.message()
        if message["type"] == "updates" and "more" not in message:
            break
    streamd = served.service

    def prove_and_tick() -> None:
        prove(streamd.state, names, streamd.now())
        streamd.upkeep.tick()

    served.run(prove_and_tick)
    proofs = [next_of(wire, "tick")["proof"] for _ in range(2)]
    assert sum(map(len, proofs)) == 1200


@in_thread
def test_bye(serve: Serve) -> None:
    served = serve()
    wire = v1(served)
    wire.message()
    served.run(served.service.viewers.protocols.copy().pop().restart)
    assert wire.message() == {"type": "bye", "reason": "restart", "after": [0.5, 8]}
    assert wire.close_code() == 1012


# -- what is not understood ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "bad-message"),
        (b"subscribe", "bad-message"),
        (b"[]", "bad-message"),
        (b"null", "bad-message"),
        (b"{}", "bad-message"),
        (b'{"type":"dance"}', "bad-message"),
        (b'{"type":5}', "bad-message"),
        (b'{"type":"subscribe","streams":"a"}', "bad-message"),
        (b'{"type":"subscribe","streams":[1]}', "bad-message"),
        (b'{"type":"subscribe","after":7}', "bad-message"),
        (b'{"type":"subscribe","history":"x"}', "bad-message"),
        (b'{"type":"subscribe","history":0}', "bad-history"),
        (b'{"type":"subscribe","history":-1}', "bad-history"),
        (b'{"type":"subscribe","streams":["a b"]}', "bad-selection"),
        (b'{"type":"subscribe","pace":"fast"}', "bad-pace"),
        (b"[" * 60_000, "bad-message"),
        (json.dumps({"type": "subscribe", "streams": list("a" * 0) + [f"s{n}" for n in range(33)]})
         .encode(), "bad-selection"),
    ],
)  # fmt: skip
@in_thread
def test_what_is_not_understood_is_an_error_not_the_end(
    served: Served, text: bytes, code: str
) -> None:
    wire = v1(served)
    wire.message()
    say(wire, text)
    error = wire.message()
    assert (error["type"], error["code"], set(error)) == (
        "error", code, {"type", "code", "message"},
    )  # fmt: skip
    say(wire, {"type": "subscribe"})
    assert wire.message()["type"] == "hello"


@pytest.mark.parametrize("text", [b'{"type":"subscrib"}', b'{"type":5}', b'{"streams":["a"]}'])
@in_thread
def test_a_wrong_type_is_told_with_the_types_that_there_are(served: Served, text: bytes) -> None:
    wire = v1(served)
    wire.message()
    say(wire, text)
    wanted = "not understood: type: expected one of subscribe, screen, publish"
    assert wire.message()["message"] == wanted


@in_thread
def test_binary_message_is_an_error_not_the_end(served: Served) -> None:
    wire = v1(served)
    wire.message()
    wire.send(frame(BINARY, b'{"type":"subscribe"}'))
    assert wire.message()["code"] == "bad-message"


@in_thread
def test_unknown_fields_are_ignored(served: Served) -> None:
    wire = v1(served)
    wire.message()
    say(wire, {"type": "subscribe", "streams": ["a"], "colour": "blue"})
    assert wire.message()["type"] == "hello"


@in_thread
def test_flood_is_the_end(served: Served) -> None:
    wire = v1(served)
    # Pings, because answers to messages could wait for the socket: too many of these are another end.
    wire.send(frame(PING, b"") * (FRAMES_PER_SECOND * 10))
    assert wire.close_code() == 4429


# -- subprotocols and compression ------------------------------------------------------------------


@pytest.mark.parametrize("offered", ["chat", "streamd.v2", "STREAMD.V1"])
@in_thread
def test_other_subprotocols_are_plain(served: Served, offered: str) -> None:
    wire = served.wire(handshake("/ws", f"Sec-WebSocket-Protocol: {offered}"))
    assert "Sec-WebSocket-Protocol" not in wire.head()
    assert wire.message() == {}


@in_thread
def test_v1_among_others(served: Served) -> None:
    wire = served.wire(handshake("/", "Sec-WebSocket-Protocol: chat, streamd.v1"))
    assert "Sec-WebSocket-Protocol: streamd.v1\r\n" in wire.head()
    assert wire.message()["type"] == "hello"


@pytest.mark.parametrize("offered", ["{v1}, {token}", "{token},{v1}", "{token}, {v1}, {token}"])
@in_thread
def test_token_is_neither_echoed_nor_logged(served: Served, offered: str) -> None:
    token = "streamd.token.czNjcmV0"
    logged: list[str] = []
    observer: Any = lambda event: logged.append(repr(event))  # noqa: E731
    globalLogPublisher.addObserver(observer)
    try:
        line = offered.format(v1="streamd.v1", token=token)
        wire = served.wire(handshake("/ws", f"Sec-WebSocket-Protocol: {line}"))
        head = wire.head()
        assert wire.message()["type"] == "hello"
    finally:
        globalLogPublisher.removeObserver(observer)
    assert "Sec-WebSocket-Protocol: streamd.v1\r\n" in head
    assert token not in head + "".join(logged)
    [protocol] = served.service.viewers.protocols
    assert token not in repr(vars(protocol))


@in_thread
def test_token_alone_is_no_subprotocol(served: Served) -> None:
    wire = served.wire(handshake("/ws", "Sec-WebSocket-Protocol: streamd.token.czNjcmV0"))
    assert "Sec-WebSocket-Protocol" not in wire.head()
    assert wire.message() == {}


# The client is told to take over no context either: an inflater would cost 40 KiB.
ACCEPTED = "permessage-deflate; server_no_context_takeover"
FORGETFUL = "client_no_context_takeover"


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        ("permessage-deflate", f"{ACCEPTED}; {FORGETFUL}"),
        ("permessage-deflate; client_max_window_bits", f"{ACCEPTED}; {FORGETFUL}"),
        (
            "permessage-deflate; server_max_window_bits=12",
            f"{ACCEPTED}; server_max_window_bits=12; {FORGETFUL}",
        ),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            f"{ACCEPTED}; {FORGETFUL}",
        ),
        # A window that the shared message does not fit: the next offer, or none.
        ("permessage-deflate; server_max_window_bits=9", ""),
        (
            "permessage-deflate; server_max_window_bits=9, permessage-deflate",
            f"{ACCEPTED}; {FORGETFUL}",
        ),
        ("x-webkit-deflate-frame", ""),
    ],
)
@in_thread
def test_deflate_negotiation(served: Served, offer: str, answer: str) -> None:
    served.post("a", "long " * 100)
    wire = v1(served, "", f"Sec-WebSocket-Extensions: {offer}")
    wire.message(), wire.any_message(), wire.any_message()  # hello and greeting
    first, payload = wire.raw_frame()
    assert first == (0xC1 if answer else TEXT)
    if answer:
        window = 12 if "bits=12" in answer else 15
        payload = zlib.decompressobj(-window).decompress(payload + b"\0\0\xff\xff")
    assert json.loads(payload)["updates"][0]["value"] == "long " * 100
    assert extension_in(served, offer) == answer


def extension_in(served: Served, offer: str) -> str:
    """What the answer to a handshake says of extensions."""
    head = served.wire(handshake("/ws", f"Sec-WebSocket-Extensions: {offer}")).head()
    found = re.search(r"Sec-WebSocket-Extensions: (.*)\r\n", head)
    return found[1] if found else ""


@in_thread
def test_short_messages_are_not_compressed(served: Served) -> None:
    served.post("a", 1)
    wire = v1(served, "", "Sec-WebSocket-Extensions: permessage-deflate")
    wire.message(), wire.any_message(), wire.any_message()
    assert wire.raw_frame()[0] == TEXT


@in_thread
def test_compressed_subscribe_is_understood(served: Served) -> None:
    wire = v1(served, "", "Sec-WebSocket-Extensions: permessage-deflate")
    wire.message()
    for name in ("a", "b"):
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        text = json.dumps({"type": "subscribe", "streams": [name]}).encode()
        packed = (deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
        wire.send(frame(0xC1, packed))
        assert wire.message()["type"] == "hello"


@in_thread
def test_deflate_bomb_is_stopped_by_its_size(served: Served) -> None:
    wire = v1(served, "", "Sec-WebSocket-Extensions: permessage-deflate")
    wire.message()
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(bytes(50_000_000)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < 60_000
    wire.send(frame(0xC1, bomb[:-4]))
    assert wire.close_code() == 1009


@in_thread
def test_frame_that_is_no_deflate(served: Served) -> None:
    wire = v1(served, "", "Sec-WebSocket-Extensions: permessage-deflate")
    wire.message()
    wire.send(frame(0xC1, b"\xff\xff\xff\xff"))
    assert wire.close_code() == 1007


@in_thread
def test_close_in_the_middle_of_a_long_message_ends_the_connection(served: Served) -> None:
    """A close frame among the bytes of a frame would be taken for a part of it.

    The rest of the message is not made for it: the viewer may not read, and it may be megabytes.
    """
    names = [f"{number:04}{'n' * 60}" for number in range(1200)]
    served.request("PATCH", "/state", json.dumps(dict.fromkeys(names, 0)))
    wire = served.wire(handshake("/ws", "Sec-WebSocket-Protocol: streamd.v1"), receive_buffer=4096)
    wire.head()
    wire.send(frame(CLOSE, struct.pack("!H", 1000)))
    assert b"\x88\x02\x03\xe8" not in wire.rest()
    wait_until(lambda: not served.service.viewers.protocols)


@in_thread
def test_viewers_count(serve: Serve) -> None:
    served = serve(f"{QUIET}\n[server]\nmax_viewers = 1")
    first = v1(served)
    first.message()
    line = "Sec-WebSocket-Protocol: streamd.v1"
    assert served.wire(handshake("/ws", line)).answer().status == 503
    first.close()
    wait_until(lambda: not served.run(len, served.service.hub))
    assert v1(served).message()["type"] == "hello"
