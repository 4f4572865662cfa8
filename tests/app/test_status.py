"""What `systemctl status` shows, and when the watchdog gets a sign."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import fail

from streamd.app.notify import Notifier
from streamd.app.status import OVERDUE, Status, status_line
from streamd.core.selection import ALL_STREAMS
from streamd.core.update import Draft
from streamd.hub.hub import Hub
from streamd.sources.errors import SourceError
from streamd.wire.frames import V1_WEBSOCKET
from streamd.wire.requests import Subscription
from tests.support.daemon import Daemon, StartDaemon
from tests.support.fakes import TODAY, Daemonette, FakeViewer
from tests.support.manager import Manager
from tests.support.net import wait_until

WATCHDOG = 8.0


class Case:
    """A state with a hub, and the status of both."""

    def __init__(self, manager: Manager, watchdog: float | None = None) -> None:
        self.daemon = Daemonette()
        self.state, self.clock = self.daemon.state, self.daemon.clock
        self.hub = Hub(self.state, self.clock)
        self.manager = manager
        self.status = Status(Notifier(manager.address, watchdog), self.state, self.hub, self.clock)

    def join(self) -> None:
        self.hub.join(FakeViewer(), Subscription(ALL_STREAMS), V1_WEBSOCKET, TODAY)

    def publish(self, name: str) -> None:
        """Put an update into the log, without waking the hub."""
        self.daemon.journal.append([Draft(name, b"1")])

    def turn(self, seconds: float) -> list[str]:
        """What is told while the loop turns for so long."""
        self.clock.pump([0.5] * int(seconds * 2))
        return self.manager.heard()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with Manager(str(tmp_path / "notify")) as manager:
        yield manager


def test_line(manager: Manager) -> None:
    case = Case(manager)
    assert status_line(0, case.state) == "0 viewers, 0 streams"
    case.publish("orders")
    assert status_line(1, case.state) == "1 viewer, 1 stream"


def test_line_names_one_failed_source(manager: Manager) -> None:
    case = Case(manager)
    feeds = [case.daemon.feed(name) for name in ("web", "shop.orders")]
    for feed in feeds:
        fail(SourceError(f"no {feed.name}")).addErrback(feed.failed)
    line = status_line(12, case.state)
    assert line == "12 viewers, 0 streams, 2 sources failed: shop.orders: no shop.orders"
    feeds[1].put(1)
    assert status_line(12, case.state).endswith("1 source failed: web: no web")


def test_line_says_that_the_journal_is_away(manager: Manager) -> None:
    case = Case(manager)
    case.state.set_journal("away", TODAY, "Redis does not answer")
    assert "the journal is away: Redis does not answer" in status_line(0, case.state)
    case.state.set_journal("ok", TODAY)
    assert "journal" not in status_line(0, case.state)


def test_ready_then_each_change_once(manager: Manager) -> None:
    case = Case(manager)
    assert case.turn(5) == []
    case.status.ready()
    assert manager.heard() == ["READY=1", "STATUS=0 viewers, 0 streams"]
    case.join()
    assert case.turn(5) == ["STATUS=1 viewer, 0 streams"]
    case.status.note("streamd.toml is not used: line 3")
    assert manager.heard() == ["STATUS=streamd.toml is not used: line 3; 1 viewer, 0 streams"]
    case.status.stop()
    [stopping] = case.turn(5)
    assert stopping.startswith("STOPPING=1\n")


def signs(told: list[str]) -> int:
    return told.count("WATCHDOG=1")


def test_signs_while_the_loop_turns(manager: Manager) -> None:
    case = Case(manager, WATCHDOG)
    assert signs(case.turn(WATCHDOG)) == 0
    case.status.ready()
    manager.heard()
    assert signs(case.turn(WATCHDOG)) == 4
    assert signs(manager.heard()) == 0  # the loop stands still


def test_no_sign_for_a_flush_that_is_overdue(manager: Manager) -> None:
    case = Case(manager, WATCHDOG)
    case.join()
    case.status.ready()
    case.publish("orders")
    assert signs(case.turn(OVERDUE - 10)) > 0
    case.turn(20)
    assert signs(case.turn(WATCHDOG)) == 0
    case.hub.wake()
    assert signs(case.turn(WATCHDOG)) == 4


def test_signs_although_sources_and_journal_fail(manager: Manager) -> None:
    case = Case(manager, WATCHDOG)
    case.join()
    case.status.ready()
    case.state.set_journal("away", TODAY, "it is gone")
    fail(SourceError("no")).addErrback(case.daemon.feed("shop").failed)
    case.hub.wake()
    case.turn(2 * OVERDUE)
    assert signs(case.turn(WATCHDOG)) == 4


def test_daemon_tells_the_manager(manager: Manager, start_daemon: StartDaemon) -> None:
    env = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "2000000"}
    config = """
        [sources.broken]
        command = "exit 3"
        every = "5s"
        [sources.env]
        command = "env"
        every = "5s"
    """
    daemon = start_daemon(config=config, env=env)
    told: list[str] = []

    def is_told(text: str) -> bool:
        told.extend(manager.heard())
        return any(text in line for line in told)

    wait_until(lambda: is_told("1 source failed: broken: the command ended with status 3"))
    wait_until(lambda: is_told("WATCHDOG=1"))
    assert told[0].splitlines()[0] == "READY=1"
    inherited = json.dumps(daemon.request("GET", "/streams/env?history=100").json())
    assert "PATH" in inherited
    assert "NOTIFY_SOCKET" not in inherited
    assert "WATCHDOG" not in inherited
    daemon.stop()
    assert is_told("STOPPING=1")


def test_daemon_that_is_aborted_says_where_it_was(manager: Manager, tmp_path: Path) -> None:
    env = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "30000000"}
    daemon = Daemon(tmp_path, env=env)
    daemon.start()
    daemon._end(signal.SIGABRT, 20)
    assert "Fatal Python error: Aborted" in daemon.log()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('[journal]\npath = "folder/that/is/missing.db"\n', "missing.db"),
        ("[serverr]\n", "serverr"),
    ],
)
def test_reason_of_a_failed_start_is_reported(
    manager: Manager, tmp_path: Path, config: str, said: str
) -> None:
    daemon = Daemon(tmp_path, config=config, env={"NOTIFY_SOCKET": manager.address})
    with pytest.raises(AssertionError):
        daemon.start()
    assert any(line.startswith("STATUS=") and said in line for line in manager.heard())
