"""``GET /healthz``, and the answers of a daemon whose journal is away."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred, succeed

from streamd.app import service
from streamd.core.update import ORIGIN
from streamd.http.access.rules import Rules
from streamd.http.access.tokens import Token, Tokens
from streamd.journals.memory import MemoryJournal
from tests.support.daemon import StartDaemon
from tests.support.fakes import fail_source, prove
from tests.support.net import wait_until
from tests.support.redis import Redis
from tests.support.served import QUIET, Serve, Served, handshake, in_thread

DESCRIBED = QUIET + "\n[streams.orders]\nwarn = '< 5'\n"

WHY = "Redis at db.example:6379 does not answer"


@in_thread
def test_health(served: Served) -> None:
    assert json.loads(served.request("GET", "/healthz").body) == {"status": "ok"}


@in_thread
def test_strict_health(serve: Serve) -> None:
    served = serve(DESCRIBED + "[streams.heart]\nexpect = '1h'\n")
    now = served.service.upkeep.now
    served.post("orders", 1)  # below its limit: that is about the world, not about what we know
    served.post("heart", 1)
    answer = served.request("GET", "/healthz?strict")
    assert (answer.status, answer.json()) == (200, {"status": "ok", "streams": {}})
    served.run(fail_source, served.service.state, "orders", "the till is away", time.time())
    served.service.upkeep.now = lambda: now() + 3601
    wait_until(lambda: len(served.request("GET", "/healthz?strict").json()["streams"]) == 2)
    answer = served.request("GET", "/healthz?strict")
    assert (answer.status, answer.json()["status"]) == (503, "bad")
    streams = answer.json()["streams"]
    assert {name: health["state"] for name, health in streams.items()} == {
        "heart": "late",
        "orders": "failed",
    }
    assert streams["orders"]["error"] == "the till is away"
    assert served.request("GET", "/healthz").status == 200
    served.service.upkeep.now = now
    served.run(prove, served.service.state, ["orders"], time.time(), "orders")
    served.post("heart", 1)
    assert served.request("GET", "/healthz?strict").status == 200


# -- while there is no log -------------------------------------------------------------------------


class LateJournal(MemoryJournal):
    """A journal that is away when the daemon starts."""

    def start(self, follower: Any) -> Deferred[None]:
        self._tell_to(follower)
        follower.away(WHY)
        return succeed(None)

    def come(self) -> None:
        """Read the log."""
        self._follower.restore(self.life, (), ORIGIN, {})
        self._follower.away(None)
        self._queue.admit()


@pytest.fixture
def late(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Served:
    """A daemon whose journal has been away since the start."""

    def make(config: Any, surroundings: Any) -> LateJournal:
        return LateJournal(surroundings.now, surroundings.reactor.seconds)

    monkeypatch.setattr(service, "make_journal", make)
    served = serve(DESCRIBED)
    for port in served.service.listening:
        port.startReading()  # type: ignore[attr-defined]
    return served


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/state"),
        ("GET", "/streams"),
        ("GET", "/streams/orders"),
        ("GET", "/updates"),
        ("GET", "/events"),
        ("POST", "/streams/orders"),
        ("PATCH", "/state"),
        ("DELETE", "/streams/orders"),
        ("POST", "/widgets/orders"),
    ],
)
@in_thread
def test_without_a_log_no_stream_is_reported(late: Served, method: str, path: str) -> None:
    answer = late.request(method, path, b"1" if method == "POST" else None)
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    assert answer.json()["error"] == {"code": "journal-away", "message": WHY}


@in_thread
def test_reason_is_shown_only_to_clients_that_may_know_it(late: Served) -> None:
    tokens = Tokens(publish=[Token("publish-every-one")], view=[Token("view-every-stream")])
    late.run(late.service.access.replace, Rules(tokens))
    asked: list[tuple[str, str]] = [
        ("POST", "/streams/orders"),
        ("PATCH", "/state"),
        ("POST", "/widgets/orders"),
    ]
    for method, path in asked:
        for token, told in (
            ("", False),
            ("a-wrong-token-here", False),
            ("publish-every-one", True),
        ):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            error = late.request(method, path, b"1", headers).json()["error"]
            assert error["code"] == "journal-away"
            assert (error["message"] == WHY) is told, error


@pytest.mark.parametrize("whole", [True, False])
@in_thread
def test_without_a_log_nobody_becomes_a_viewer(late: Served, whole: bool) -> None:
    """An accepted viewer would be told that there are no streams."""
    data = handshake()
    wire = late.wire(data if whole else data[:20])
    if not whole:
        wire.send(data[20:])
    answer = wire.answer()
    assert (answer.status, answer.json()["error"]["message"]) == (503, WHY)
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize("path", ["/", "/index.html", "/streamd.js", "/walls", "/walls/all"])
@in_thread
def test_without_a_log_the_page_is_served(late: Served, path: str) -> None:
    assert late.request("GET", path).status == 200


@in_thread
def test_without_a_log_health_answers(late: Served) -> None:
    answer = late.request("GET", "/healthz")
    assert (answer.status, answer.json()) == (200, {"status": "ok", "journal": "away"})
    strict = late.request("GET", "/healthz?strict")
    assert (strict.status, strict.json()["journal"]["error"]) == (503, WHY)


@in_thread
def test_with_the_log_everything_is_answered(late: Served) -> None:
    late.run(late.service.journal.come)  # type: ignore[attr-defined]
    late.post("orders", 7)
    assert late.state() == {"orders": 7}
    assert late.request("GET", "/healthz").json() == {"status": "ok"}
    with late.connect() as viewer:
        assert viewer.recv(timeout=20) == '{"orders":7}'


def test_daemon_that_starts_before_redis(
    start_daemon: StartDaemon, redis: Redis, page: Page
) -> None:
    """The port answers at once, the page comes, and it is live as soon as Redis is there."""
    redis.stop()
    daemon = start_daemon(
        config=f"""
        [access]
        publish = "loopback"
        [journal]
        url = "redis://127.0.0.1:{redis.port}"
        """
    )
    assert daemon.request("GET", "/healthz").json() == {"status": "ok", "journal": "away"}
    answer = daemon.request("GET", "/state")
    assert (answer.status, answer.json()["error"]["code"]) == (503, "journal-away")
    assert "Redis" in answer.json()["error"]["message"]
    page.goto(daemon.url)
    expect(page.locator("body")).not_to_have_attribute("data-link", "live")
    redis.start()
    wait_until(lambda: daemon.request("GET", "/state").status == 200)
    expect(page.locator("body")).to_have_attribute("data-link", "live", timeout=20_000)
    assert daemon.request("GET", "/healthz").json() == {"status": "ok"}


@in_thread
def test_journal_that_goes_away_later_is_bad_for_monitors_alone(served: Served) -> None:
    """Reading goes on from the log that there is."""
    served.post("a", 1)
    served.run(served.service.away, "the disk is full")
    assert served.request("GET", "/healthz").json() == {"status": "ok", "journal": "away"}
    strict = served.request("GET", "/healthz?strict")
    assert (strict.status, strict.json()["status"]) == (503, "bad")
    assert served.state() == {"a": 1}
    served.run(served.service.away, None)
    assert served.request("GET", "/healthz?strict").status == 200
