"""The log of the daemon: its forms, what is in it, and a reader that stalls."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, Logger, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from streamd.app.log import begin_log
from streamd.config.tables import LogSettings
from streamd.reactor.log_limit import LINES_PER_SECOND
from tests.support.daemon import TWISTD, StartDaemon
from tests.support.net import accepts, free_port, request, wait_until
from tests.support.served import Serve, Served, frame, handshake, in_thread

TOKEN = "t" * 16


class BeginTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def test_every_observer_is_put_behind_it_once(self) -> None:
        events: list[str] = []

        @implementer(ILogObserver)
        def observer(event: LogEvent) -> None:
            events.append(formatEvent(event))

        observers = list(globalLogPublisher._observers)
        globalLogPublisher.addObserver(observer)
        try:
            begin_log(LogSettings(), self.clock)
            quieted = list(globalLogPublisher._observers)
            begin_log(LogSettings(), self.clock)
            self.assertEqual(quieted, globalLogPublisher._observers)
            for _ in range(100):
                Logger("test").info("flood")
        finally:
            globalLogPublisher._observers[:] = observers
        self.assertEqual(["flood"] * LINES_PER_SECOND, events)


@contextmanager
def heard() -> Iterator[list[str]]:
    """The lines of the log, meanwhile."""
    lines: list[str] = []

    @implementer(ILogObserver)
    def observer(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observer)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observer)


@in_thread
def test_a_refused_publish_names_its_publisher(serve: Serve) -> None:
    served = serve("", [TOKEN])
    sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    with heard() as lines:
        served.request("POST", "/streams/shop.orders?secret=1", "nan", sent)
        served.request("GET", "/streams/unknown")
    [line] = [line for line in lines if "was refused" in line]
    assert line.startswith('POST "/streams/shop.orders" was refused: ')
    assert line.endswith("from 127.0.0.1 with the token 0)")
    assert "bad-" in line
    assert TOKEN not in line


@in_thread
def test_a_viewer_gets_one_line_when_it_leaves(served: Served) -> None:
    with heard() as lines:
        with served.connect("/ws", subprotocols=["streamd.v1"]) as viewer:
            viewer.recv(timeout=20)
            report = {"type": "screen", "name": "kitchen", "wall": "all", "at": "0-0", "delay": 0}
            viewer.send(json.dumps(report))
            wait_until(lambda: served.service.screens.connected == 1)
        flood = served.wire(handshake())
        flood.head()
        flood.send(frame(0x89) * 1000)
        flood.rest()
        wait_until(lambda: not served.service.viewers.protocols)
    left = [re.sub(r"[0-9]+ s", "N s", line) for line in lines if "viewer" in line]
    assert left == [
        "a viewer left after N s: 127.0.0.1, the screen kitchen",
        "a viewer left after N s: 127.0.0.1 (too many frames)",
    ]


@in_thread
def test_an_event_stream_that_comes_back_at_once_is_not_reported(served: Served) -> None:
    with heard() as lines:
        assert served.request("GET", "/events?for=0.1s").status == 200
        wait_until(lambda: not served.service.events.protocols)
    assert not any("viewer" in line for line in lines)


@in_thread
def test_answers_are_logged_only_if_that_is_configured_and_without_their_query(
    serve: Serve,
) -> None:
    for text, count in (("", 0), ("[log]\naccess = true", 2)):
        served = serve(text)
        with heard() as lines:
            served.request("GET", "/state?token=secret")
            served.request("GET", "/nothing?token=secret")
        told = [line for line in lines if line.startswith("127.0.0.1 GET")]
        assert told == ['127.0.0.1 GET "/state" 200', '127.0.0.1 GET "/nothing" 404'][:count]


def test_the_start_says_what_is_used(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(config='[journal]\npath = "log.db"')
    log = daemon.log()
    assert f"the configuration is {daemon.folder}/streamd.toml" in log
    assert "the journal is log.db" in log
    assert f"the wall is at http://localhost:{daemon.port}/" in log
    bare = start_daemon().log()
    assert "the configuration is none" in bare
    assert "the journal is in memory" in bare


def test_json(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(config='[log]\nformat = "json"')
    daemon.request("POST", "/streams/a", "1")
    lines = [json.loads(x) for x in daemon.log().splitlines() if x.startswith("{")]
    [line] = [line for line in lines if "was refused" in line["text"]]
    assert line["level"] == "warn"
    assert line["logger"].startswith("streamd.")
    assert re.fullmatch(r"20[0-9-]{8}T[0-9:]{8}\.[0-9]{3}\+00:00", line["time"])


@contextmanager
def running(
    folder: Path,
    *options: str,
    config: str = "",
    stdout: int = subprocess.DEVNULL,
    env: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """A daemon whose log goes where the test says; its port."""
    port = free_port()
    (folder / "streamd.toml").write_text(config)
    command = [TWISTD, "-n", "--pidfile=", *options, "streamd"]
    command += ["--port", f"tcp:{port}:interface=127.0.0.1", "--config", "streamd.toml"]
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
    )
    try:
        wait_until(lambda: process.poll() is not None or accepts(port), 40)
        wait_until(lambda: request(port, "GET", "/healthz").status == 200, 40)
        yield port
    finally:
        process.terminate()
        try:
            assert process.wait(40) == 0
        finally:
            process.kill()


def test_a_reader_that_stalls_does_not_stop_the_daemon(tmp_path: Path) -> None:
    read, write = os.pipe()
    try:
        with running(tmp_path, config="[log]\naccess = true", stdout=write) as port:
            # The log has few lines a second, and would take long to fill it.
            fill(write)
            for _ in range(50):
                assert request(port, "GET", "/state").status == 200
            os.set_blocking(read, False)
            text = read_until(read, b'GET "/state" 200')
        assert b'GET "/state" 200' in text
    finally:
        os.close(read)
        os.close(write)


def fill(descriptor: int) -> None:
    """Fill a pipe, as a log does that nobody reads."""
    os.set_blocking(descriptor, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(descriptor, b"x" * size)
        except BlockingIOError:
            pass
    os.set_blocking(descriptor, True)


def read_until(descriptor: int, wanted: bytes) -> bytes:
    found = b""

    def has() -> bool:
        nonlocal found
        try:
            found += os.read(descriptor, 1 << 20)
        except BlockingIOError:
            return False
        return wanted in found

    wait_until(has, 40)
    return found


def test_the_journal_of_systemd_gets_priorities(tmp_path: Path) -> None:
    read, write = os.pipe()
    try:
        about = os.fstat(write)
        env = {"JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}"}
        with running(tmp_path, stdout=write, env=env) as port:
            request(port, "POST", "/streams/a", "1")
            os.set_blocking(read, False)
            text = read_until(read, b"was refused")
        assert b"\n<4>a client was refused: publishing needs a token" in text
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("option", ["logfile", "logger", "syslog"])
def test_the_options_of_twistd_for_the_log_work(tmp_path: Path, option: str) -> None:
    (tmp_path / "mine.py").write_text(
        "from twisted.logger import eventAsText, FileLogObserver\n"
        "def make():\n"
        "    text = lambda event: 'MINE ' + eventAsText(event) + chr(10)\n"
        "    return FileLogObserver(open('twistd.log', 'a'), text)\n"
    )
    options = {
        "logfile": ("--logfile", "twistd.log"),
        "logger": ("--logger", "mine.make"),
        "syslog": ("--syslog",),
    }
    with running(tmp_path, *options[option], env={"PYTHONPATH": str(tmp_path)}) as port:
        request(port, "POST", "/streams/a", "1")
    if option != "syslog":
        text = (tmp_path / "twistd.log").read_text()
        assert "a client was refused: publishing needs a token" in text
        assert ("MINE " in text) == (option == "logger")
