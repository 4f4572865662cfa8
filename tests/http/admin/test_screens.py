"""Remote hands over real TCP: screens that report, and what they are told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamd.http.viewers.websocket import MAX_DUE
from streamd.hub import screens as hub_screens
from streamd.hub.sweep import PONG_WITHIN
from tests.support.net import Answer, wait_until
from tests.support.served import QUIET, Serve, Served, Wire, frame, handshake, in_thread

TEXT = 0x81
REPORT = {"type": "screen", "name": "tv", "wall": "kitchen", "at": "7-0", "delay": 0.25}
WALLS = f"{QUIET}\n[[walls]]\nname = 'kitchen'\n[[walls]]\nname = 'hall'\n"


def screen(
    served: Served, receive_buffer: int | None = None, client: str = "", **report: Any
) -> Wire:
    """A viewer that reports, perhaps from a client behind a proxy."""
    lines = ["Sec-WebSocket-Protocol: streamd.v1", f"X-Forwarded-For: {client}"]
    wire = served.wire(handshake("/ws", *lines[: 2 if client else 1]), receive_buffer)
    wire.head()
    name = report.get("name", "tv")

    def connections() -> int:
        count: int = screens(served).get(name, {}).get("connections", 0)
        return count

    before = connections()
    wire.send(frame(TEXT, json.dumps({**REPORT, **report}).encode()))
    wait_until(lambda: connections() > before)
    return wire


def screens(served: Served) -> Any:
    return served.request("GET", "/screens").json()["screens"]


def command(served: Served, said: Any, name: str = "tv", token: str = "s3cret") -> Answer:
    body = said if isinstance(said, (str, bytes)) else json.dumps(said)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return served.request("POST", f"/screens/{name}", body, headers)


def outcome(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


def told(wire: Wire) -> Any:
    while (message := wire.message())["type"] != "command":
        pass
    return message


# -- who is there ----------------------------------------------------------------------------------


@in_thread
def test_screens_are_listed(serve: Serve) -> None:
    served = serve(WALLS)
    assert screens(served) == {}
    screen(served)
    screen(served, name="hall-tv", wall="hall", delay=None)
    listed = screens(served)
    assert list(listed) == ["hall-tv", "tv"]
    assert listed["hall-tv"]["delay"] is None
    tv = listed["tv"]
    since, seen = tv.pop("since"), tv.pop("seen")
    assert since <= seen
    assert tv == {
        "wall": "kitchen",
        "at": "7-0",
        "delay": 0.25,
        "address": "127.0.0.1",
        "connected": True,
        "connections": 1,
    }


@in_thread
def test_second_screen_of_a_name_is_listed_beside_the_first(serve: Serve) -> None:
    served = serve('[server]\ntrusted_proxies = ["127.0.0.1"]')
    first, second = (screen(served, wall=wall, client=wall) for wall in ("192.0.2.1", "192.0.2.9"))
    tv = screens(served)["tv"]
    assert (tv["wall"], tv["address"]) == ("192.0.2.1", "192.0.2.1")
    assert [(other["wall"], other["address"]) for other in tv["others"]] == [
        ("192.0.2.9", "192.0.2.9")
    ]
    first.close()
    wait_until(lambda: screens(served)["tv"]["address"] == "192.0.2.9")
    second.close()
    wait_until(lambda: not screens(served)["tv"]["connected"])


@in_thread
def test_invented_names_do_not_hide_a_new_screen(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_screens, "MAX_SCREENS", 10)
    served = serve('[server]\ntrusted_proxies = ["127.0.0.1"]')
    for number in range(12):
        screen(served, name=f"fake{number}", client="192.0.2.9")
    screen(served, name="new-tv", client="192.0.2.1")
    assert len(screens(served)) == 10


@in_thread
def test_screen_that_goes_is_listed_as_lost(served: Served) -> None:
    wire = screen(served)
    before = screens(served)["tv"]
    wire.close()
    wait_until(lambda: not screens(served)["tv"]["connected"])
    after = screens(served)["tv"]
    assert after["since"] > before["since"]
    assert after["seen"] == before["seen"]


@in_thread
def test_screen_that_dies_without_a_word_is_found(served: Served) -> None:
    screen(served)
    [protocol] = served.service.viewers.protocols
    served.run(protocol.ping, 1000.0)
    served.run(protocol.check_pong, 1000.0 + PONG_WITHIN)
    wait_until(lambda: not screens(served)["tv"]["connected"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a b"},
        {"name": "x" * 129},
        {"name": "tv\n"},
        {"wall": ""},
        {"at": "x" * 1000},
        {"at": None},
        {"delay": "1s"},
    ],
)
@in_thread
def test_report_that_is_not_understood(served: Served, wrong: dict[str, Any]) -> None:
    wire = screen(served)
    before = screens(served)
    wire.send(frame(TEXT, json.dumps({**REPORT, **wrong}).encode()))
    while (message := wire.message())["type"] == "hello":
        pass
    assert (message["type"], message["code"]) == ("error", "bad-message")
    assert screens(served) == before


@in_thread
def test_plain_viewer_is_no_screen(served: Served) -> None:
    wire = served.wire(handshake())
    wire.head()
    wire.send(frame(TEXT, json.dumps(REPORT).encode()))
    served.post("a", 1)
    wire.message(), wire.message()
    assert screens(served) == {}


# -- what they show --------------------------------------------------------------------------------


@in_thread
def test_playlist_of_a_screen(serve: Serve) -> None:
    served = serve(f"{WALLS}[[screens]]\nname = 'tv'\nwalls = [{{ wall = 'hall', for = '1m' }}]")
    answer = served.request("GET", "/screens/tv")
    told = answer.json()
    assert (told["name"], told["walls"]) == ("tv", [{"wall": "hall", "for": 60.0}])
    known = {"If-None-Match": answer.headers["ETag"]}
    assert served.request("GET", "/screens/tv", headers=known).status == 304
    other = served.request("GET", "/screens/other").json()
    assert other == {"name": "other", "walls": [], "version": told["version"]}
    assert served.request("GET", "/screens/a%20b").status == 400


# -- what they are told ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "told_besides"),
    [
        ({"command": "reload"}, {}),
        ({"command": "identify"}, {}),
        ({"command": "wall", "wall": "hall"}, {}),
        ({"command": "playlist"}, {}),
        ({"command": "message", "message": "Fire drill at 3"}, {"for": 30.0, "as": "screen"}),
        (
            {"command": "message", "message": "é" * 500, "for": "1h"},
            {"for": 3600.0, "as": "screen"},
        ),
        ({"command": "message", "message": "Cake", "as": "line"}, {"for": 30.0, "as": "line"}),
    ],
)
@in_thread
def test_commands(serve: Serve, said: dict[str, Any], told_besides: dict[str, Any]) -> None:
    served = serve(WALLS, admins=["s3cret"])
    wire, other = screen(served), screen(served, name="other")
    again = screen(served)
    answer = command(served, said)
    assert (answer.status, answer.json()) == (200, {"sent": 2, "lagging": 0, "passed_on": 0})
    for one in (wire, again):
        assert told(one) == {"type": "command", **said, **told_besides}
    command(served, {"command": "identify"}, "other")
    assert told(other) == {"type": "command", "command": "identify"}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("", "bad-command"),
        (b"\xff", "bad-command"),
        ("[" * 10_000, "bad-command"),
        ({}, "bad-command"),
        ({"command": "explode"}, "bad-command"),
        ({"command": "reload", "wall": "hall"}, "bad-command"),
        ({"command": "wall"}, "bad-command"),
        ({"command": "wall", "wall": "cellar"}, "unknown-wall"),
        ({"command": "message"}, "bad-command"),
        ({"command": "message", "message": ""}, "bad-command"),
        ({"command": "message", "message": "x" * 501}, "bad-command"),
        ({"command": "message", "message": "x", "for": "61m"}, "bad-command"),
        ({"command": "message", "message": "x", "for": "0s"}, "bad-command"),
        ({"command": "message", "message": "x", "for": 30}, "bad-command"),
        ({"command": "message", "message": "x", "for": "soon"}, "bad-command"),
        ({"command": "message", "message": "x", "as": "shout"}, "bad-command"),
    ],
)
@in_thread
def test_command_that_is_not_understood(serve: Serve, said: Any, code: str) -> None:
    served = serve(WALLS, admins=["s3cret"])
    wire = screen(served)
    assert outcome(command(served, said)) == (400, code)
    assert command(served, {"command": "reload"}).status == 200
    assert told(wire)["command"] == "reload"


@in_thread
def test_screen_that_cannot_be_told(serve: Serve) -> None:
    served = serve(WALLS, admins=["s3cret"])
    assert outcome(command(served, {"command": "reload"})) == (404, "unknown-screen")
    screen(served).close()
    wait_until(lambda: not screens(served)["tv"]["connected"])
    assert outcome(command(served, {"command": "reload"})) == (409, "not-connected")


@in_thread
def test_only_administrators_command(serve: Serve) -> None:
    served = serve(WALLS, tokens=["publ1sh"], admins=["s3cret"])
    screen(served)
    assert outcome(command(served, {"command": "reload"}, token="")) == (401, "no-token")
    for token, refusal in (("publ1sh", (403, "no-right")), ("wrong", (401, "bad-token"))):
        assert outcome(command(served, {"command": "reload"}, token=token)) == refusal
    # Nobody learns without one which screens there are, or what would be understood.
    assert outcome(command(served, "", "nothing", token="")) == (401, "no-token")
    assert outcome(command(serve(WALLS), {"command": "reload"})) == (401, "bad-token")


# -- screens that lag ------------------------------------------------------------------------------


def lagging(served: Served) -> tuple[Wire, Any]:
    """A screen in the middle of its hello, which it has not read, and its protocol."""
    served.request("PATCH", "/state", json.dumps({f"{n:04}{'n' * 60}": 0 for n in range(4000)}))
    wire = screen(served, receive_buffer=4096)
    [protocol] = served.service.viewers.protocols
    assert protocol.unsent
    return wire, protocol


@in_thread
def test_command_does_not_stand_in_the_middle_of_a_message(serve: Serve) -> None:
    served = serve(WALLS, admins=["s3cret"])
    wire, protocol = lagging(served)
    assert command(served, {"command": "identify"}).status == 200
    assert protocol.unsent
    types = []
    while "command" not in types:
        types.append(wire.message()["type"])
    assert types[0] == "hello"
    assert set(types[1:-1]) == {"updates"}


@in_thread
def test_commands_that_wait_are_bounded(serve: Serve) -> None:
    served = serve(WALLS, admins=["s3cret"])
    wire, _ = lagging(served)
    for _ in range(MAX_DUE):
        assert command(served, {"command": "identify"}).status == 200
    assert outcome(command(served, {"command": "reload"})) == (503, "screen-lags")
    assert [told(wire)["command"] for _ in range(MAX_DUE)] == ["identify"] * MAX_DUE
    assert command(served, {"command": "reload"}).status == 200
    assert told(wire)["command"] == "reload"


@in_thread
def test_screens_that_do_not_read_deny_the_commands_of_no_other(serve: Serve) -> None:
    served = serve(WALLS, admins=["s3cret"])
    lagging(served)
    for _ in range(11):
        screen(served, receive_buffer=4096)
    while command(served, {"command": "identify"}).status == 200:
        pass
    wire = screen(served)
    answer = command(served, {"command": "reload"})
    assert (answer.status, answer.json()) == (200, {"sent": 1, "lagging": 12, "passed_on": 0})
    assert told(wire)["command"] == "reload"


@in_thread
def test_slow_screen_may_report_for_long(served: Served) -> None:
    wire, protocol = lagging(served)
    for number in range(MAX_DUE + 5):
        wire.send(frame(TEXT, json.dumps({**REPORT, "at": f"8-{number}"}).encode()))
    wait_until(lambda: screens(served)["tv"]["at"] == f"8-{MAX_DUE + 4}")
    assert protocol.unsent
    assert screens(served)["tv"]["connected"]
