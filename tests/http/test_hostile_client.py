"""One hostile client takes all that it can get, over real TCP; another address is still served."""

from __future__ import annotations

from contextlib import ExitStack, closing
from itertools import count

import pytest
from twisted.logger import capturedLogs, formatEvent

from tests.support.net import wait_until
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
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        assert come(served, stack, WAYS[way], FRIEND) in ("101", "200")
        wait_until(lambda: any("was refused" in formatEvent(event) for event in events))
    [line] = [line for event in events if "a client was refused" in (line := formatEvent(event))]
    assert f"{HOSTILE} has as many viewers as one client address may have" in line
    assert f'trusted_proxies = ["{HOSTILE}"]' in line


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
