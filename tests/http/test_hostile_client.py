"""One hostile client takes all that it can get, over real TCP; another address is still served."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from itertools import count

import pytest
from twisted.logger import capturedLogs, formatEvent

from streamd.app import service
from streamd.http.access.guesses import FREE, PAUSE
from streamd.hub.seats import MAX_UNREAD
from tests.support.daemon import StartDaemon
from tests.support.net import Answer, wait_until
from tests.support.nginx import StartNginx
from tests.support.served import Serve, Served, handshake, head, in_thread

HOSTILE, ACCOMPLICE, FRIEND = "127.0.0.2", "127.0.0.3", "127.0.0.4"

WAYS = {"websocket": handshake(), "events": head("GET", "/events")}


def come(served: Served, stack: ExitStack, request_: bytes, source: str) -> str:
    """Come as a viewer, and stay; the status of the answer."""
    wire = stack.enter_context(closing(served.wire(request_, source=source)))
    return wire.head().split()[1]


def come_all(served: Served, stack: ExitStack, request_: bytes, source: str = HOSTILE) -> int:
    """Come until one is refused; how many were let in."""
    return next(n for n in count() if come(served, stack, request_, source) == "503")


@pytest.mark.parametrize("way", WAYS)
@in_thread
def test_another_address_gets_a_seat(serve: Serve, way: str) -> None:
    served = serve("[server]\nmax_viewers = 10", tokens=["s3cret"])
    with ExitStack() as stack, capturedLogs() as events:
        assert come_all(served, stack, WAYS[way]) == 8
        refused = served.wire(WAYS[way], source=HOSTILE).answer()
        assert (refused.status, "Retry-After" in refused.headers) == (503, True)
        assert come(served, stack, WAYS[way], FRIEND) in ("101", "200")
        wait_until(lambda: any("was refused" in formatEvent(event) for event in events))
    [line] = [line for event in events if "a client was refused" in (line := formatEvent(event))]
    assert f"{HOSTILE} has as many viewers as one client address may have" in line
    assert f'trusted_proxies = ["{HOSTILE}"]' in line


@pytest.mark.parametrize("way", WAYS)
@in_thread
def test_the_log_says_that_too_much_is_unread(serve: Serve, way: str) -> None:
    served = serve()
    served.service.hub.seats.unread.take("elsewhere", MAX_UNREAD)
    with capturedLogs() as events:
        answer = served.wire(WAYS[way]).answer()
        assert (answer.status, answer.json()["error"]["code"]) == (503, "busy")
        wait_until(lambda: any("was refused" in formatEvent(event) for event in events))
    served.service.hub.seats.unread.give_back("elsewhere", MAX_UNREAD)


@in_thread
def test_clients_of_a_trusted_proxy_are_counted_apart(serve: Serve) -> None:
    served = serve('[server]\nmax_viewers = 10\ntrusted_proxies = ["127.0.0.1"]')
    with ExitStack() as stack:
        for client, seats in (("203.0.113.9", 8), ("2001:db8::1", 2)):
            line = f"X-Forwarded-For: 198.51.100.7, {client}"
            assert come_all(served, stack, handshake("/ws", line), "127.0.0.1") == seats


@in_thread
def test_a_header_of_a_stranger_changes_nothing(serve: Serve) -> None:
    served = serve('[server]\nmax_viewers = 10\ntrusted_proxies = ["127.0.0.1"]')
    with ExitStack() as stack:
        requests = (handshake("/ws", f"X-Forwarded-For: 203.0.113.{n}") for n in count())
        let_in = [come(served, stack, next(requests), HOSTILE) for _ in range(9)]
        assert let_in == ["101"] * 8 + ["503"]


@in_thread
def test_a_screen_that_comes_back_is_let_in_before_strangers(serve: Serve) -> None:
    served = serve("[server]\nmax_viewers = 10")
    screen = served.wire(handshake(), source=FRIEND)
    assert screen.head().startswith("HTTP/1.1 101")
    with ExitStack() as stack:
        assert come_all(served, stack, handshake()) == 8
        assert come_all(served, stack, handshake(), ACCOMPLICE) == 1
        screen.close()
        wait_until(lambda: len(served.service.viewers.protocols) == 9)
        for source in (HOSTILE, ACCOMPLICE, "127.0.0.5"):
            assert come(served, stack, handshake(), source) == "503"
        assert come(served, stack, handshake(), FRIEND) == "101"


# -- connections beside viewers --------------------------------------------------------------------

MAX_VIEWERS, SPARE = 10, 50
EACH = 48
"""Connections of one address: 80 % of all."""

BEARER = "Authorization: Bearer s3cret"


@pytest.fixture
def small(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Served:
    """A service with few connections."""
    monkeypatch.setattr(service, "SPARE_CONNECTIONS", SPARE)
    return serve(f"[server]\nmax_viewers = {MAX_VIEWERS}", tokens=["s3cret"], admins=["4dmin"])


def hold_all(served: Served, stack: ExitStack, source: str = HOSTILE) -> None:
    """Open many more silent connections than one address may have."""
    limits = served.service.site.limits

    def counted() -> int:
        return limits.displaced + len(limits._clients) + len(limits._surplus)

    before = served.run(counted)
    for _ in range(3 * EACH):
        stack.enter_context(closing(served.wire(source=source)))
    wait_until(lambda: served.run(counted) == before + 3 * EACH)


def ask(served: Served, request_: bytes, source: str) -> Answer:
    with closing(served.wire(request_, source=source)) as wire:
        return wire.answer()


def publish(*lines: str) -> bytes:
    return head("POST", "/streams/a", "Content-Length: 2", *lines) + b"42"


@in_thread
def test_silent_connections_keep_nobody_else_out(small: Served) -> None:
    with ExitStack() as stack:
        come_all(small, stack, handshake())
        hold_all(small, stack)
        others = EACH - 8 + SPARE // 10
        wait_until(lambda: len(small.service.site.channels) <= others)
        for _ in range(2 * EACH):
            assert ask(small, head(), FRIEND).status == 200
        assert ask(small, publish(BEARER), FRIEND).status == 201
        assert ask(small, head("GET", "/healthz"), FRIEND).status == 200
        for request_ in WAYS.values():
            assert come(small, stack, request_, FRIEND) in ("101", "200")


@pytest.mark.parametrize("source", [HOSTILE, FRIEND])
@in_thread
def test_at_the_hostile_address_too_publishers_and_monitors_get_in(
    small: Served, source: str
) -> None:
    """As behind a proxy that is not declared."""
    with ExitStack() as stack:
        hold_all(small, stack)
        assert ask(small, publish(BEARER), source).status == 201
        assert ask(small, head("GET", "/healthz"), source).status == 200
        command = head("POST", "/screens/x", "Content-Length: 2", "Authorization: Bearer 4dmin")
        assert ask(small, command + b"{}", source).json()["error"]["code"] == "bad-command"
        assert come(small, stack, handshake(), source) == "101"


@in_thread
def test_what_is_beyond_the_share_hears_why(small: Served) -> None:
    with ExitStack() as stack, capturedLogs() as events:
        hold_all(small, stack)
        for request_ in (head(), head("GET", "/"), publish(), head("GET", "/state", BEARER)):
            wire = stack.enter_context(closing(small.wire(request_, source=HOSTILE)))
            answer = wire.answer()
            assert (answer.status, int(answer.headers["Retry-After"]) > 0) == (503, True)
            assert answer.headers["Connection"] == "close"
            assert wire.rest() == b""
    [line] = [line for event in events if "a client was refused" in (line := formatEvent(event))]
    assert f"{HOSTILE} has as many connections" in line
    assert f'trusted_proxies = ["{HOSTILE}"]' in line
    [line] = [line for event in events if "closed for newer ones" in (line := formatEvent(event))]
    assert f'trusted_proxies = ["{HOSTILE}"]' in line


@in_thread
def test_a_wrong_token_is_counted_beyond_the_share_too(small: Served) -> None:
    with ExitStack() as stack:
        hold_all(small, stack)
        for number in range(FREE):
            assert ask(small, publish(f"Authorization: Bearer {number}"), HOSTILE).status == 401
        assert small.service.access.guesses.pause(HOSTILE, "another") == PAUSE


@in_thread
def test_many_hostile_addresses_leave_room_for_tokens_and_seats(small: Served) -> None:
    with ExitStack() as stack:
        for last in range(2, 6):
            hold_all(small, stack, f"127.0.0.{last}")
        assert ask(small, head(), "127.0.0.9").json()["error"]["code"] == "too-many-connections"
        assert ask(small, publish(BEARER), "127.0.0.9").status == 201
        assert ask(small, head("GET", "/healthz"), "127.0.0.9").status == 200
        for _ in range(8):
            assert come(small, stack, handshake(), "127.0.0.9") == "101"


@in_thread
def test_connections_of_a_trusted_proxy_count_for_its_clients(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SPARE_CONNECTIONS", SPARE)
    served = serve(f'[server]\nmax_viewers = {MAX_VIEWERS}\ntrusted_proxies = ["127.0.0.1"]')
    hostile, friend = (head("GET", "/state", f"X-Forwarded-For: 203.0.113.{n}") for n in (1, 2))
    with ExitStack() as stack:
        wires = [stack.enter_context(closing(served.wire(hostile))) for _ in range(EACH + 1)]
        assert [wire.answer().status for wire in wires] == [200] * EACH + [503]
        wires[0].send(friend)
        assert wires[0].answer().status == 200
        assert ask(served, hostile, "127.0.0.1").status == 200


@in_thread
def test_no_connection_is_counted_for_ever(small: Served) -> None:
    limits = small.service.site.limits
    with ExitStack() as stack:
        hold_all(small, stack)
        for request_ in (head(), publish(BEARER), handshake(), head("GET", "/healthz")):
            ask(small, request_, HOSTILE) if request_ != handshake() else come(
                small, stack, request_, HOSTILE
            )
    wait_until(lambda: not small.service.site.channels)
    assert (limits._clients, limits._surplus, limits._quota.used) == ({}, {}, 0)
    assert (limits._quota._held, small.service.hub.seats._quota.used) == ({}, 0)


# -- behind a proxy --------------------------------------------------------------------------------


def handshakes(port: int, stack: ExitStack, source: str, count: int) -> list[str]:
    """The statuses of this many handshakes; those that succeed stay."""
    statuses = []
    for _ in range(count):
        end = stack.enter_context(socket.create_connection(("127.0.0.1", port), 20, (source, 0)))
        end.sendall(handshake())
        statuses.append(end.recv(12).decode()[9:])
    return statuses


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
def test_behind_nginx(start_daemon: StartDaemon, start_nginx: StartNginx, declared: bool) -> None:
    proxies = 'trusted_proxies = ["127.0.0.1"]' if declared else ""
    daemon = start_daemon(config=f"[server]\nmax_viewers = 10\n{proxies}")
    nginx = start_nginx(daemon)
    with ExitStack() as stack:
        assert handshakes(nginx.port, stack, HOSTILE, 9) == ["101"] * 8 + ["503"]
        assert handshakes(nginx.port, stack, FRIEND, 1) == ["101" if declared else "503"]
        assert nginx.request("GET", "/healthz").status == 200
    counted = HOSTILE if declared else "127.0.0.1"
    assert f"{counted} has as many viewers as one client address may have" in daemon.log()
    assert f'trusted_proxies = ["{counted}"]' in daemon.log()


@in_thread
def test_behind_the_proxy_protocol(serve: Serve) -> None:
    served = serve(
        "[server]\nmax_viewers = 10", more_ports=["haproxy:tcp:0:interface=127.0.0.1:backlog=99"]
    )
    port = served.service.listening[1].getHost().port  # type: ignore[attr-defined]
    with ExitStack() as stack:

        def come_from(client: str) -> str:
            end = stack.enter_context(socket.create_connection(("127.0.0.1", port), 20))
            end.sendall(f"PROXY TCP4 {client} 127.0.0.1 999 5000\r\n".encode() + handshake())
            return end.recv(12).decode()[9:]

        assert [come_from("203.0.113.9") for _ in range(9)] == ["101"] * 8 + ["503"]
        assert come_from("203.0.113.8") == "101"
        # The proxy has not yet told whose connection this is.
        stack.enter_context(socket.create_connection(("127.0.0.1", port), 20))
        limits = served.service.site.limits
        wait_until(lambda: "" in limits._clients.values())
        assert "127.0.0.1" not in limits._clients.values()
