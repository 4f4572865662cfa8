"""The service manager is told by datagrams (sd_notify(3)): here to real sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamd.app.notify import MAX_STATUS, Notifier, take_notifier
from tests.support.manager import Manager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with Manager(str(tmp_path / "notify")) as manager:
        yield manager


def test_fields_are_lines_of_one_datagram(manager: Manager) -> None:
    notifier = Notifier(manager.address)
    notifier.tell(READY="1", STATUS="12 viewers")
    assert manager.heard() == ["READY=1\nSTATUS=12 viewers"]


def test_abstract_socket() -> None:
    with Manager(f"@streamd-test-{os.getpid()}") as manager:
        Notifier(manager.address).tell(READY="1")
        assert manager.heard() == ["READY=1"]


def test_status_is_one_short_line_without_passwords(manager: Manager) -> None:
    notifier = Notifier(manager.address)
    notifier.tell_status("shop: postgresql://wall:s3cret@db failed\nREADY=1")
    notifier.tell_status("x" * 5000)
    line, long = manager.heard()
    assert "\n" not in line
    assert "s3cret" not in line
    assert len(long) == len("STATUS=") + MAX_STATUS


def test_what_a_full_socket_does_not_take_is_sent_later(manager: Manager) -> None:
    notifier = Notifier(manager.address)
    for number in range(1000):  # the queue of a datagram socket has some ten places
        notifier.tell_status(str(number))
    notifier.tell(READY="1")
    heard = manager.heard()
    assert heard[0] == "STATUS=0"
    assert "READY=1" not in "".join(heard)
    notifier.tell(WATCHDOG="1")
    assert manager.heard() == ["STATUS=999\nREADY=1\nWATCHDOG=1"]


def test_manager_that_does_not_listen_yet(tmp_path: Path) -> None:
    address = str(tmp_path / "late")
    notifier = Notifier(address)
    notifier.tell(READY="1")
    with Manager(address) as manager:
        notifier.tell(STATUS="ok")
        assert manager.heard() == ["READY=1\nSTATUS=ok"]


def test_without_a_manager_nothing_happens() -> None:
    notifier = take_notifier({})
    assert not notifier
    assert notifier.watchdog is None
    notifier.tell(READY="1")
    notifier.close()


def test_variables_are_taken_out_of_the_environment() -> None:
    """A command would tell systemd something in the daemon's name."""
    environ = {
        "NOTIFY_SOCKET": "/run/notify",
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
        "HOME": "/",
    }
    notifier = take_notifier(environ)
    assert environ == {"HOME": "/"}
    assert notifier
    assert notifier.watchdog == 30.0
    notifier.close()


@pytest.mark.parametrize("environ", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"}])
def test_watchdog_of_another_process_or_none(environ: dict[str, str]) -> None:
    assert take_notifier({"WATCHDOG_USEC": "30000000", **environ}).watchdog is None


def test_closed_notifier_sends_nothing(manager: Manager) -> None:
    notifier = Notifier(manager.address)
    notifier.close()
    notifier.tell(READY="1")
    assert manager.heard() == []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.sendto(b"x", manager.address)
    assert manager.heard() == ["x"]
