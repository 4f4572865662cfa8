"""Socket.IO over real TCP: each case that its protocols state for servers, and streamd's own rules.

The cases are those of the test suites of Engine.IO 4 and Socket.IO 5.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from streamd.http.access import guesses
from streamd.http.viewers import conversation, socketio_viewer
from streamd.http.viewers.conversation import CONNECT_WITHIN
from streamd.http.viewers.socketio_poll import MAX_SAID
from streamd.http.viewers.websocket import BURST
from streamd.hub.sweep import PING_EVERY, PONG_WITHIN
from tests.support.frames import handshake, head
from tests.support.net import Answer, wait_until
from tests.support.served import QUIET, Serve, Served, in_thread
from tests.support.socketio import BINARY, Polling, Socket

OPENED = {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}
FOREIGN = "Origin: https://evil.example"
UNKNOWN = (400, 1, "Session ID unknown")


def refusal(answer: Answer) -> tuple[int, int, str]:
    """The status, and the number and text that clients of Engine.IO expect."""
    told = answer.json()
    assert set(told["error"]) == {"code", "message"}
    return answer.status, told["code"], told["message"]


def ask(served: Served, query: str, method: str = "GET", *lines: str) -> Answer:
    with closing(served.wire(head(method, f"/socket.io/{query}", *lines))) as wire:
        return wire.answer(method)


def shake(served: Served, query: str, *lines: str) -> Answer:
    """The answer to a handshake that is refused."""
    with closing(served.wire(handshake(f"/socket.io/{query}", *lines))) as wire:
        return wire.answer()


def is_gone(session: Polling) -> bool:
    return refusal(session.get()) == UNKNOWN


# -- Engine.IO: the handshake ----------------------------------------------------------------------


@in_thread
def test_session_by_a_poll(served: Served) -> None:
    opened = Polling(served).opened
    assert set(opened) == OPENED
    assert opened["upgrades"] == ["websocket"]
    assert opened["pingInterval"] == PING_EVERY * 1000
    assert opened["pingTimeout"] == PONG_WITHIN * 1000
    assert opened["maxPayload"] == 65536
    assert len(opened["sid"]) >= 20


@in_thread
def test_session_by_a_websocket(served: Served) -> None:
    opened = Socket(served).opened
    assert set(opened) == OPENED
    assert opened["upgrades"] == []


@pytest.mark.parametrize("ask_for", [ask, shake])
@in_thread
def test_errors_of_the_handshake(served: Served, ask_for: Callable[..., Answer]) -> None:
    way = "polling" if ask_for is ask else "websocket"
    version = (400, 5, "Unsupported protocol version")
    for query, wanted in (
        ("?EIO=4", (400, 0, "Transport unknown")),
        ("?EIO=4&transport=abc", (400, 0, "Transport unknown")),
        ("?EIO=4&transport=webtransport", (400, 0, "Transport unknown")),
        (f"?EIO=4&transport={way}&sid=abc", UNKNOWN),
        (f"?EIO=4&transport={'websocket' if ask_for is ask else 'polling'}", (400, 3, "Bad request")),
        (f"?transport={way}", version),
        (f"?EIO=abc&transport={way}", version),
        (f"?EIO=3&transport={way}", version),
        (f"?EIO=4&transport={way}&j=0", (400, 3, "Bad request")),
    ):  # fmt: skip
        assert refusal(ask_for(served, query)) == wanted, query
    assert not served.run(lambda: len(served.service.sweep))


@in_thread
def test_wrong_methods(served: Served) -> None:
    for method in ("POST", "PUT"):
        answer = ask(served, "?EIO=4&transport=polling", method, "Content-Length: 0")
        assert refusal(answer) == (400, 2, "Bad handshake method")
    session = Polling(served)
    answer = ask(served, f"?EIO=4&transport=polling&sid={session.sid}", "PUT", "Content-Length: 0")
    assert refusal(answer) == (400, 2, "Bad handshake method")
    assert ask(served, "?EIO=4&transport=polling", "HEAD").status == 400
    assert ask(served, "?EIO=4&transport=polling", "DELETE").status == 405


@in_thread
def test_websocket_that_a_proxy_did_not_pass_on(served: Served) -> None:
    lost = handshake("/socket.io/?EIO=4&transport=websocket").replace(
        b"Upgrade: websocket\r\n", b""
    )
    answer = served.wire(lost).answer()
    assert (answer.status, answer.json()["error"]["code"]) == (426, "upgrade-lost")


# -- Engine.IO: messages, heartbeat, close ---------------------------------------------------------


@in_thread
def test_payloads_with_several_packets(served: Served) -> None:
    session = Polling(served)
    session.say('40\x1e421["subscribe",{"streams":["a"]}]\x1e422["nothing"]')
    connected, first, second, state = session.hear()
    assert connected.startswith('40{"sid":')
    assert (first, state) == ('431[{"error":null}]', '42["state",{}]')
    assert second.startswith('432[{"error":{"code":"unknown-event",')


@in_thread
def test_binary_packets_in_a_payload(served: Served) -> None:
    session = Polling(served)
    session.say('40\x1e451-7["x",{"_placeholder":true,"num":0}]\x1ebAQIDBA==')
    assert session.hear()[1].startswith("437[")


@pytest.mark.parametrize("body", ["abc", "", "7", "4", "40\x1e", "bAAAA", "0{}", "5", "2probe"])
@in_thread
def test_malformed_payload_closes_the_session(served: Served, body: str) -> None:
    session = Polling(served)
    assert refusal(session.post(body)) == (400, 3, "Bad request")
    assert is_gone(session)


@in_thread
def test_two_polls_at_a_time_close_the_session(served: Served) -> None:
    session = Polling(served)
    first = session.start()
    wait_until(lambda: served.run(lambda: next(iter(served.service.socketio.sessions)).ready))
    assert refusal(session.get()) == (400, 3, "Bad request")
    answer = first.answer()
    assert (answer.status, answer.text) == (200, "1")
    assert is_gone(session)


@in_thread
def test_two_posts_at_a_time_close_the_session(served: Served) -> None:
    session = Polling(served)
    served.wire(head("POST", session.path(), "Content-Length: 2") + b"4")
    [found] = served.service.socketio.sessions
    wait_until(lambda: found._posting)
    assert refusal(session.post("40")) == (400, 3, "Bad request")
    assert is_gone(session)


@in_thread
def test_body_is_bounded(served: Served) -> None:
    session = Polling(served)
    assert session.post(b"4" + b"x" * 65536).status == 413
    assert is_gone(session)
    other = Polling(served)
    assert other.post(b"x" * (2**20 + 1)).status == 413
    many = Polling(served)
    assert many.post("\x1e".join(["3"] * 201)).status == 400


@in_thread
def test_websocket_takes_text_and_binary_packets(served: Served) -> None:
    socket = Socket(served)
    socket.connect()
    assert socket.message() == {}
    socket.say('451-7["x",{"_placeholder":true,"num":0}]')
    socket.say(b"\1\2\3", BINARY)
    assert socket.hear().startswith("437[")


@pytest.mark.parametrize("text", ["abc", "", "4", "4abc", "0{}", "5", "2probe"])
@in_thread
def test_malformed_packet_closes_the_websocket(served: Served, text: str) -> None:
    socket = Socket(served)
    socket.say(text)
    assert socket.closed() == 4400


@pytest.fixture
def swept(served: Served) -> Served:
    """A service whose sweep turns by hand alone."""
    served.service.upkeep._timers[0].stop()
    return served


def turn(served: Served, seconds: int, began: float = 0.0) -> float:
    """The sweep's next this many seconds, at once."""
    for _ in range(seconds):
        began += 1
        served.run(served.service.sweep.turn, began)
    return began


def pinged_last(served: Served, viewers: Any) -> Any:
    """Have the only viewer pinged at the end of each round of the sweep, and return it."""
    [viewer] = viewers
    viewer.slot = PING_EVERY - 1
    return viewer


@in_thread
def test_heartbeat_of_polls(swept: Served) -> None:
    session = Polling(swept)
    session.connect()
    session.hear()
    pinged_last(swept, swept.service.socketio.sessions)
    now = 0.0
    for _ in range(3):
        waiting = session.start()
        [found] = swept.service.socketio.sessions
        wait_until(lambda: found.ready)  # noqa: B023
        now = turn(swept, PING_EVERY - int(now > 0), now)
        assert waiting.answer().text == "2"
        session.say("3")
        now = turn(swept, 1, now)
    turn(swept, PONG_WITHIN, now)
    assert swept.service.socketio.sessions


@in_thread
def test_session_that_does_not_answer_pings_ends(swept: Served) -> None:
    session = Polling(swept)
    session.connect()
    pinged_last(swept, swept.service.socketio.sessions)
    now = turn(swept, PING_EVERY)
    turn(swept, PONG_WITHIN - 1, now)
    assert swept.service.socketio.sessions
    turn(swept, 1, now + PONG_WITHIN - 1)
    assert is_gone(session)
    assert swept.service.socketio.sessions.lost == 1
    assert not swept.run(lambda: len(swept.service.hub))


@in_thread
def test_heartbeat_of_a_websocket(swept: Served) -> None:
    socket = Socket(swept)
    socket.connect()
    assert socket.message() == {}
    viewer = pinged_last(swept, swept.service.socketio.sockets.protocols)
    now = 0.0
    for _ in range(3):
        now = turn(swept, PING_EVERY - int(now > 0), now)
        assert socket.hear() == "2"
        socket.say("3")
        wait_until(lambda: viewer._pinged is None)
        now = turn(swept, 1, now)
    turn(swept, PING_EVERY - 1, now)
    assert socket.hear() == "2"
    turn(swept, PONG_WITHIN, now + PING_EVERY - 1)
    socket.wire.rest()
    wait_until(lambda: not swept.service.socketio.sockets.protocols)


@in_thread
def test_ping_that_was_due_while_the_client_lagged(swept: Served) -> None:
    """A client waits for pings, so the next slot would be too late."""
    socket = Socket(swept)
    socket.connect()
    assert socket.message() == {}
    viewer = pinged_last(swept, swept.service.socketio.sockets.protocols)

    def lag() -> None:
        viewer.ready = False
        for second in range(PING_EVERY):
            swept.service.sweep.turn(float(second))
        viewer.resumeProducing()

    swept.run(lag)
    assert socket.hear() == "2"


@in_thread
def test_close_packet_ends_the_session(served: Served) -> None:
    session = Polling(served)
    waiting = session.start()
    [found] = served.service.socketio.sessions
    wait_until(lambda: found.ready)
    session.say("1")
    answer = waiting.answer()
    assert (answer.status, answer.text) == (200, "6")
    assert is_gone(session)
    socket = Socket(served)
    socket.say("1")
    assert socket.closed() == 1000
    wait_until(lambda: not served.run(lambda: len(served.service.sweep)))


@in_thread
def test_client_that_breaks_off_its_poll_is_gone(served: Served) -> None:
    session = Polling(served)
    waiting = session.start()
    [found] = served.service.socketio.sessions
    wait_until(lambda: found.ready)
    waiting.close()
    wait_until(lambda: found.has_ended)
    assert is_gone(session)


# -- Engine.IO: the upgrade ------------------------------------------------------------------------


@in_thread
def test_upgrade(served: Served) -> None:
    served.post("a", 1)
    served.post("b", 1)
    session = Polling(served)
    session.connect()
    assert session.message() == {"a": 1, "b": 1}
    waiting = session.start()
    [found] = served.service.socketio.sessions
    wait_until(lambda: found.ready)
    socket = Socket(served, session.sid)
    socket.say("2probe")
    assert socket.hear() == "3probe"
    assert waiting.answer().text == "6"
    assert session.hear() == ["6"], "polls end at once from now on"
    served.post("a", 2)
    socket.say("5")
    assert socket.message() == {"a": 2}, "only what it lacks"
    assert refusal(session.get()) == UNKNOWN
    assert refusal(shake(served, session.path("websocket").removeprefix("/socket.io/"))) == UNKNOWN
    served.post("b", 2)
    assert socket.message() == {"b": 2}
    assert not served.service.socketio.sessions
    assert served.run(lambda: served.service.hub.seats._quota.held("127.0.0.1")) == 1


@in_thread
def test_a_session_that_polls_counts_as_one_connection(served: Served) -> None:
    links = served.service.hub.seats.links
    session = Polling(served)
    session.connect()
    assert served.run(lambda: (len(links), links.of("127.0.0.1"))) == (0, 0)
    with served.connect():
        wait_until(lambda: served.run(lambda: len(links)) == 1)
        socket = Socket(served, session.sid)
        socket.say("2probe")
        assert socket.hear() == "3probe"
        socket.say("5")
        wait_until(lambda: served.run(lambda: (len(links), links.of("127.0.0.1"))) == (2, 2))
        socket.close()
        wait_until(lambda: served.run(lambda: len(links)) == 1)


@in_thread
def test_upgrade_before_the_client_connects(served: Served) -> None:
    session = Polling(served)
    socket = Socket(served, session.sid)
    socket.say("2probe")
    assert socket.hear() == "3probe"
    socket.say("5")
    socket.connect()
    assert socket.message() == {}


@in_thread
def test_upgrade_with_packets_that_wait(served: Served) -> None:
    """An answer, and a state that the client has not fetched yet."""
    served.post("a", 1)
    session = Polling(served)
    session.connect()
    session.say('427["subscribe",{"streams":["a"]}]')
    socket = Socket(served, session.sid)
    socket.say("2probe")
    socket.say("5")
    assert socket.hear() == "3probe"
    assert socket.hear().startswith('40{"sid":')
    assert socket.hear() == '437[{"error":null}]'
    assert socket.message() == {"a": 1}


@in_thread
def test_upgrade_keeps_the_time_of_the_next_ping(swept: Served) -> None:
    session = Polling(swept)
    session.connect()
    slot = pinged_last(swept, swept.service.socketio.sessions).slot
    socket = Socket(swept, session.sid)
    socket.say("5")
    assert socket.hear().startswith("40")
    assert socket.message() == {}
    [viewer] = swept.service.socketio.sockets.protocols
    assert viewer.slot == slot


@in_thread
def test_one_probe_at_a_time(served: Served) -> None:
    session = Polling(served)
    first = Socket(served, session.sid)
    query = session.path("websocket").removeprefix("/socket.io/")
    assert refusal(shake(served, query)) == (400, 3, "Bad request")
    first.wire.close()
    wait_until(lambda: next(iter(served.service.socketio.sessions)).probe is None)
    second = Socket(served, session.sid)
    second.say("4hello")
    assert second.closed() == 4400, "a client probes first"
    session.connect()
    assert session.hear()[0].startswith("40"), "the session goes on"


@in_thread
def test_probe_that_does_not_change_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socketio_viewer, "UPGRADE_WITHIN", 0.05)
    session = Polling(served)
    socket = Socket(served, session.sid)
    assert socket.wire.rest() == b""
    session.connect()
    assert session.hear()[0].startswith("40")


@in_thread
def test_polls_wait_again_when_the_probe_is_lost(served: Served) -> None:
    session = Polling(served)
    session.connect()
    assert session.message() == {}
    socket = Socket(served, session.sid)
    socket.say("2probe")
    assert socket.hear() == "3probe"
    assert session.hear() == ["6"]
    socket.wire.close()
    [found] = served.service.socketio.sessions
    wait_until(lambda: found.probe is None)
    waiting = session.start()
    wait_until(lambda: found.ready)
    served.post("a", 1)
    assert waiting.answer().text == '42["state",{"a":1}]'


@in_thread
def test_probe_ends_with_its_session(served: Served) -> None:
    session = Polling(served)
    socket = Socket(served, session.sid)
    session.say("1")
    assert socket.wire.rest() == b""


# -- Socket.IO -------------------------------------------------------------------------------------


@in_thread
def test_state_first_and_then_what_changed(served: Served) -> None:
    served.post("a", 1)
    served.post("b", {"x": "é"})
    socket, session = Socket(served), Polling(served)
    socket.connect()
    assert socket.message() == {"a": 1, "b": {"x": "é"}}
    session.connect()
    packets = session.hear()
    assert packets[0].startswith('40{"sid":"')
    assert packets[1:] == ['42["state",{"a":1,"b":{"x":"é"}}]']
    served.post("a", 2)
    assert socket.message() == session.message() == {"a": 2}
    served.request("DELETE", "/streams/b")
    assert socket.message() == session.message() == {"b": None}


@in_thread
def test_connect_with_streams(served: Served) -> None:
    for name in ("a", "b", "c"):
        served.post(name, 1)
    socket = Socket(served)
    socket.connect({"streams": ["a", "b*"]})
    assert socket.message() == {"a": 1, "b": 1}
    socket.say('42["subscribe",{"streams":["c"]}]')
    assert socket.message() == {"c": 1}
    socket.say('42["subscribe"]')
    assert socket.message() == {"a": 1, "b": 1, "c": 1}


@in_thread
def test_identities_differ(served: Served) -> None:
    session = Polling(served)
    session.connect()
    said = json.loads(session.hear()[0][2:])
    assert set(said) == {"sid"}
    assert said["sid"] != session.sid


@in_thread
def test_unknown_namespace(served: Served) -> None:
    socket = Socket(served)
    for text in ("40/random", "40/random,", '40/random,{"token":"x"}'):
        socket.say(text)
        assert socket.hear() == '44/random,{"message":"Invalid namespace"}'
    socket.connect()


@pytest.mark.parametrize(
    "text",
    ["4abc", "42{}", '42abc["subscribe"]', "42[]", "40", "41/custom", '42/custom,["x"]', "44{}"],
)
@in_thread
def test_malformed_packet_after_the_connect(served: Served, text: str) -> None:
    socket, session = Socket(served), Polling(served)
    for client in (socket, session):
        client.connect()
    socket.say(text)
    assert socket.closed() == 4400
    assert refusal(session.post(text)) == (400, 3, "Bad request")


@in_thread
def test_event_before_the_connect(served: Served) -> None:
    for text in ('42["subscribe"]', "41", "43[]"):
        socket = Socket(served)
        socket.say(text)
        assert socket.closed() == 4400


@in_thread
def test_disconnect(served: Served) -> None:
    socket, session = Socket(served), Polling(served)
    for client in (socket, session):
        client.connect()
    assert socket.message() == {}
    socket.say("41")
    assert socket.closed() == 1000
    session.say("41")
    assert is_gone(session)
    wait_until(lambda: not served.run(lambda: len(served.service.hub)))


@in_thread
def test_acknowledgements(served: Served) -> None:
    socket = Socket(served)
    socket.connect()
    assert socket.message() == {}
    socket.say('42456["subscribe",{"streams":["a"]}]')
    assert socket.hear() == '43456[{"error":null}]'
    assert socket.message() == {}
    for text, code in (
        ('421["subscribe",{"streams":5}]', "bad-message"),
        ('421["subscribe",{"streams":["§"]}]', "bad-selection"),
        ('421["subscribe",{"pace":"x"}]', "bad-pace"),
        ('421["other",1,"2",{"3":[true]}]', "unknown-event"),
        ("421[7]", "unknown-event"),
    ):
        socket.say(text)
        answer = socket.hear()
        assert answer.startswith("431[")
        assert json.loads(answer[3:])[0]["error"]["code"] == code, text
    socket.say('42["other"]')
    name, error = json.loads(socket.hear()[2:])
    assert (name, error["code"]) == ("error", "unknown-event")
    assert error["message"].endswith("; a client sends subscribe")
    socket.say("431[]")  # an acknowledgement of nothing
    served.post("a", 1)
    assert socket.message() == {"a": 1}


@in_thread
def test_binary_attachments(served: Served) -> None:
    socket = Socket(served)
    socket.connect()
    assert socket.message() == {}
    places = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
    socket.say(f'452-789["message-with-ack",{places}]')
    socket.say(b"\1\2\3", BINARY)
    socket.say(b"\4\5\6", BINARY)
    assert socket.hear().startswith('43789[{"error":{"code":"unknown-event"')
    socket.say('450-8["x"]')
    assert socket.hear().startswith("438[")
    socket.say('452-789["x"]')
    socket.say('42["x"]')
    assert socket.closed() == 4400, "an attachment is missing"
    other = Socket(served)
    other.connect()
    assert other.message() == {}
    other.say(b"\1", BINARY)
    assert other.closed() == 4400


# -- rights and origins ----------------------------------------------------------------------------

PRIVATE = """
[access]
view = ["view-every-stream", { token = "view-open-streams", streams = ["open.*"] }]
"""


@in_thread
def test_error_when_connecting(serve: Serve) -> None:
    served = serve(PRIVATE)
    for auth, code in (
        (None, "no-token"),
        ({"token": "a-wrong-token-here"}, "bad-token"),
        ({"token": "view-open-streams", "streams": ["secret.a"]}, "no-right"),
        ({"token": 7}, "bad-message"),
        ({"token": "view-every-stream", "streams": ["§"]}, "bad-selection"),
    ):
        socket, session = Socket(served), Polling(served)
        socket.say("40" + (json.dumps(auth) if auth else ""))
        session.connect(auth)
        answer = socket.hear()
        assert answer.startswith("44{"), answer
        told = json.loads(answer[2:])
        assert told["data"] == {"code": code}
        assert told["message"]
        assert session.hear() == [answer]
        socket.connect({"token": "view-every-stream"})  # it may try again
    assert served.run(lambda: served.service.access.guesses._tried("127.0.0.1"))
    assert served.service.site.refused["bad-token"] == 2


@in_thread
def test_token_waits_after_many_guesses(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "PAUSE", 0.2)
    served = serve(PRIVATE)
    socket = Socket(served)
    for number in range(guesses.FREE):
        socket.say(f'40{{"token":"a-wrong-token-{number}"}}')
        assert "bad-token" in socket.hear()
    socket.say('40{"token":"view-every-stream"}')
    wait_until(lambda: served.run(pausing, served))
    assert socket.hear().startswith('40{"sid"')
    late = Socket(served)
    late.say('40{"token":"view-every-stream"}')
    late.say("40")
    assert late.closed() == 4400, "it asked twice"


def pausing(served: Served) -> bool:
    """Whether a token waits to be judged."""
    viewers: Any = served.service.socketio.sockets.protocols
    return any(viewer.conversation._pause for viewer in viewers)


@in_thread
def test_client_has_to_connect_in_time(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "CONNECT_WITHIN", 0.05)
    session, socket = Polling(served), Socket(served)
    assert socket.closed() == 1000
    wait_until(lambda: not served.service.socketio.sessions)
    assert is_gone(session)
    assert CONNECT_WITHIN < PING_EVERY


@in_thread
def test_foreign_origins(serve: Serve) -> None:
    served = serve(f'{QUIET}\n[server]\norigins = ["https://reads.example"]')
    reads = "Origin: https://reads.example"
    session = Polling(served, reads)
    session.connect()
    assert session.message() == {}
    forbidden = (403, 4, "Forbidden")
    query = session.path().removeprefix("/socket.io/")
    assert refusal(ask(served, "?EIO=4&transport=polling", "GET", FOREIGN)) == forbidden
    assert refusal(ask(served, query, "GET", FOREIGN)) == forbidden
    assert refusal(ask(served, query, "POST", FOREIGN, "Content-Length: 0")) == forbidden
    assert refusal(shake(served, "?EIO=4&transport=websocket", FOREIGN)) == forbidden
    preflight = "Access-Control-Request-Method: POST"
    answer = ask(served, "?EIO=4&transport=polling", "OPTIONS", reads, preflight)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "https://reads.example"
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert "content-type" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert refusal(ask(served, "?EIO=4&transport=polling", "OPTIONS", FOREIGN)) == forbidden


@in_thread
def test_lost_session_is_reported_after_a_restart_of_the_log(served: Served) -> None:
    """A new log: every viewer begins anew."""
    session, socket = Polling(served), Socket(served)
    for client in (session, socket):
        client.connect()
    assert socket.message() == session.message() == {}
    waiting = session.start()
    [found] = served.service.socketio.sessions
    wait_until(lambda: found.ready)
    served.run(served.service.hub.restart)
    assert waiting.answer().text == "6", "after a close packet, some clients do not come back"
    assert is_gone(session)
    socket.wire.rest()


# -- bounds ----------------------------------------------------------------------------------------


@in_thread
def test_sessions_take_seats(serve: Serve) -> None:
    served = serve(f"{QUIET}\n[server]\nmax_viewers = 2\naddress_share = 1")
    session, socket = Polling(served), Socket(served)
    assert ask(served, "?EIO=4&transport=polling").status == 503
    assert shake(served, "?EIO=4&transport=websocket").status == 503
    Socket(served, session.sid)  # needs no other seat
    session.say("1")
    socket.say("1")
    wait_until(lambda: not served.run(lambda: served.service.hub.seats._quota.held("127.0.0.1")))
    Polling(served)


@in_thread
def test_handshakes_and_requests_have_rates(served: Served) -> None:
    limited: list[str] = []
    rates = served.service.rates

    def note(request: Any, rate: Any, key: str) -> None:
        limited.append(key)

    rates._check = note  # type: ignore[method-assign]
    session = Polling(served)
    assert limited == ["requests", "handshakes"]
    session.connect()
    session.hear()
    assert limited[2:] == ["requests"], "a POST; the pace of a session bounds its polls"
    Socket(served, session.sid)
    assert limited[3:] == ["handshakes"]


@in_thread
def test_poller_that_does_not_fetch_costs_no_queue(served: Served) -> None:
    session = Polling(served)
    session.connect()
    session.hear()
    [found] = served.service.socketio.sessions
    for number in range(200):
        served.post_at_once(("a", number), ("b", "x" * 1000))
    assert (found._pieces, found._said, found.unsent) == ([], [], None)
    assert session.message() == {"a": 199, "b": "x" * 1000}


@in_thread
def test_large_state_comes_in_packets_that_fit(served: Served) -> None:
    wanted = {f"s{n}": "x" * 30_000 for n in range(10)} | {"large": "y" * 65_000}
    for name, value in wanted.items():
        served.post(name, value)
    socket, session = Socket(served), Polling(served)
    for client in (socket, session):
        client.connect()
        got: dict[str, Any] = {}
        while got != wanted:
            got |= client.message()


@in_thread
def test_upgrade_in_the_middle_of_a_large_state(served: Served) -> None:
    wanted = {f"s{n}": "x" * 30_000 for n in range(10)}
    for name, value in wanted.items():
        served.post(name, value)
    session = Polling(served)
    session.connect()
    assert session.message()
    socket = Socket(served, session.sid)
    socket.say("5")
    got: dict[str, Any] = {}
    while got != wanted:
        got |= socket.message()


@in_thread
def test_answers_that_nobody_fetches_are_bounded(served: Served) -> None:
    session = Polling(served)
    session.connect()
    for _ in range(MAX_SAID - 1):
        session.say('421["other"]')
    session.say('421["other"]')
    assert is_gone(session)


@in_thread
def test_websocket_that_says_too_much(served: Served) -> None:
    socket = Socket(served)
    for _ in range(BURST + 5):
        socket.say("3")
    assert socket.closed() == 4429


@in_thread
def test_slow_client_delays_nobody(served: Served) -> None:
    slow = Socket(served, receive_buffer=4096)
    slow.connect()
    quick, polling = Socket(served), Polling(served)
    for client in (quick, polling):
        client.connect()
        client.message()
    for number in range(100):
        served.post_at_once(("a", f"{number}" + "x" * 60_000))
    served.post("b", "last")
    for client in (quick, polling):
        while "b" not in client.message():
            pass
    unread = served.run(lambda: served.service.hub.seats.unread.used)
    assert unread < 2**20


@in_thread
def test_equal_selections_share_their_messages(served: Served) -> None:
    sockets = [Socket(served) for _ in range(3)]
    for socket in sockets:
        socket.connect()
        assert socket.message() == {}
    assert len(served.run(lambda: list(served.service.hub.audiences))) == 1
    served.post("a", 1)
    assert [socket.message() for socket in sockets] == [{"a": 1}] * 3


@in_thread
def test_deflated(served: Served) -> None:
    text = "the same again and again " * 100
    served.post("a", text)
    socket = Socket(served, "", "Sec-WebSocket-Extensions: permessage-deflate")
    socket.connect()
    first, payload = socket.wire.raw_frame()
    assert first == 0xC1
    assert len(payload) < len(text) / 10


@in_thread
def test_stop_closes_all(serve: Serve) -> None:
    served = serve()
    session, socket = Polling(served), Socket(served)
    probing = Polling(served)
    probe = Socket(served, probing.sid)
    session.connect()
    session.hear()
    waiting = session.start()
    wait_until(lambda: any(each.ready for each in served.service.socketio.sessions))
    served.run(served.service.socketio.close_all)
    assert waiting.answer().text == "6"
    assert socket.closed() == 1012
    assert probe.wire.rest() == b""


@in_thread
def test_metrics(served: Served) -> None:
    session, socket = Polling(served), Socket(served)
    for client in (session, socket):
        client.connect()
        assert client.message() == {}
    ask(served, "?EIO=4&transport=polling&sid=abc")
    text = served.request("GET", "/metrics").text
    for line in (
        'streamd_viewers{transport="socketio"} 1.0',
        'streamd_viewers{transport="socketio-poll"} 1.0',
        'streamd_viewers_opened_total{transport="socketio-poll"} 1.0',
        'streamd_messages_out_total{encoding="Socket.IO"} 1.0',
        'streamd_messages_out_total{encoding="Socket.IO poll"} 1.0',
        'streamd_refused_total{reason="session-id-unknown"} 1.0',
    ):
        assert line in text, line
