"""The installed daemon as a process of its own, and any other program that serves a port.

`daemon` is one with the demo stream. `start_daemon(...)` starts more, or others::

    def test_x(start_daemon):
        daemon = start_daemon("--demo", config="[server]\\npace = '1s'", env={"STREAMD_TOKEN": "x"})
        assert daemon.request("GET", "/state").json() == {}
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support.net import Answer, accepts, free_port, request, wait_until

CHECKOUT = Path(__file__).resolve().parents[2]
TWISTD = Path(sys.executable).with_name("twistd")

# What the daemon may take to end (5 s, by its contract), and as much as a busy machine may need.
STOP_SECONDS = 20.0


class Server:
    """A program that listens on `port` of 127.0.0.1, and writes its log to a file."""

    _good_ends: tuple[int, ...] = (0, -signal.SIGTERM)

    def __init__(
        self,
        command: Sequence[str | Path],
        port: int,
        folder: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing starts before `start`; `folder` is where it runs, and where its log is."""
        self.port = port
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}"
        self.tracebacks_are_expected = False
        self._command = [str(word) for word in command]
        self._env = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
        self._log = folder / f"{Path(self._command[0]).name}-{port}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._told_to_end = False

    @property
    def pid(self) -> int:
        """The process's id; it has one from the first start on, also when it has ended."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def serves(self) -> bool:
        """Whether it is of use by now."""
        return accepts(self.port)

    def start(self, seconds: float = 60) -> None:
        """Starts it and waits until it serves; AssertionError, with the log, if it does not."""
        assert not self.running, "started already"
        self._told_to_end = False
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(lambda: not self.running or self.serves(), seconds, "a server")
            assert self.running, f"ended with status {self._process.poll()}"
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{' '.join(self._command)}: {error}\n{self.log()}") from None

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """SIGTERM; returns the exit status. AssertionError when it has not ended in time."""
        return self._end(signal.SIGTERM, seconds)

    def kill(self) -> int:
        """SIGKILL; returns the exit status."""
        return self._end(signal.SIGKILL, STOP_SECONDS)

    def freeze(self) -> None:
        """It stands still, its connections open."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Stops it if it runs, and starts it on the same port."""
        if self.running:
            self.stop()
        self.start()

    def log(self) -> str:
        """All that it has said so far, former runs included."""
        return self._log.read_text(errors="replace")

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One HTTP request to it."""
        return request(self.port, method, path, body, headers)

    def finish(self) -> None:
        """Ends it for good; AssertionError for a bad end, or a traceback that nobody expected."""
        if self.running:
            self.thaw()
        if not self._told_to_end:
            by_itself = "" if self.running else " by itself"
            status = self.stop()
            good = status in self._good_ends and not by_itself
            assert good, f"ended{by_itself} with status {status}\n{self.log()}"
        if not self.tracebacks_are_expected:
            assert "Traceback" not in self.log(), f"a traceback in the log\n{self.log()}"

    def _end(self, signal_number: signal.Signals, seconds: float) -> int:
        assert self._process is not None, "not started"
        self._told_to_end = True
        self._process.send_signal(signal_number)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(
                f"{signal_number.name} did not end it within {seconds:g} s\n{self.log()}"
            ) from None


AnyServer = TypeVar("AnyServer", bound=Server)


class Daemon(Server):
    """streamd as it is installed, run by twistd, listening on 127.0.0.1 alone."""

    _good_ends = (0,)

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        config: str | None = None,
        port: int | None = None,
        env: Mapping[str, str] | None = None,
        twistd: Path = TWISTD,
    ) -> None:
        """`arguments` follow `twistd streamd`; `config` is the text of its streamd.toml, if any."""
        port = port or free_port()
        command: list[str | Path] = [twistd, "-n", "--pidfile=", "streamd"]
        command += ["--port", f"tcp:{port}:interface=127.0.0.1", *arguments]
        if config is not None:
            (folder / "streamd.toml").write_text(config)
            command += ["--config", "streamd.toml"]
        super().__init__(command, port, folder, env)

    def serves(self) -> bool:
        """It answers: a port that is open takes connections before there is a log, and SIGTERM would
        still be a sudden end."""
        try:
            return self.request("GET", "/healthz").status == 200
        except (OSError, HTTPException):
            return False


StartDaemon = Callable[..., Daemon]


@pytest.fixture
def start_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartDaemon]:
    """Starts daemons, with the arguments of `Daemon` after the folder, and ends them all."""
    daemons: list[Daemon] = []

    def start(
        *arguments: str,
        config: str | None = None,
        port: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Daemon:
        folder = tmp_path_factory.mktemp("daemon")
        daemon = Daemon(folder, *arguments, config=config, port=port, env=env)
        daemon.start()
        daemons.append(daemon)
        return daemon

    try:
        yield start
    finally:
        finish_all(daemons)


@pytest.fixture
def daemon(start_daemon: StartDaemon) -> Daemon:
    """A daemon with the demo stream, as `twistd -n streamd` runs it."""
    return start_daemon()


def serving(server: AnyServer) -> Iterator[AnyServer]:
    """For a fixture: the server, running, and ended for good afterwards."""
    server.start()
    try:
        yield server
    finally:
        server.finish()


def finish_all(servers: Sequence[Server]) -> None:
    """Finishes every one, whatever the others do, and then raises what went wrong."""
    errors = []
    for server in servers:
        try:
            server.finish()
        except AssertionError as error:
            errors.append(str(error))
    assert not errors, "\n".join(errors)
