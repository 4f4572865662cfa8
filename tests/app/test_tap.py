"""The command line: what `twistd streamd` takes, and what it says to what it does not take."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.daemon import CHECKOUT, TWISTD, Daemon, Server, StartDaemon
from tests.support.net import accepts, free_port, request, wait_until


def started(*arguments: str | Path, folder: Path) -> subprocess.Popen[str]:
    command: list[str | Path] = [TWISTD, "-n", "--pidfile=", "streamd", *arguments]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def complaint(run: subprocess.Popen[str]) -> list[str]:
    """What a start that has to fail says on stderr."""
    out, err = run.communicate(timeout=60)
    assert run.returncode == 1, out + err
    assert "Traceback" not in out + err
    return err.splitlines()


@pytest.fixture
def busy() -> Iterator[int]:
    """A port on which somebody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


# -- mistakes --------------------------------------------------------------------------------------

MISTAKES = """
nonsense = 1
[server]
pace = 5
max_viewers = 0
colour = "red"
[access]
publish = "everybody"
[sources.shop]
query = "SELECT 1"
every = "5 parsecs"
[sources.mail]
kind = "pigeon"
[sources."-bad"]
query = "SELECT 1"
[streams.shop.orders]
warn = "> much"
keep = 0
"""


def test_every_mistake_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "streamd.toml").write_text(MISTAKES)
    lines = complaint(started("--config", "streamd.toml", folder=tmp_path))
    assert all(line.startswith("streamd: ") for line in lines)
    paths = {line.removeprefix("streamd: ").split(": ")[0] for line in lines}
    assert {"server.pace", "access.publish", "sources.mail.kind", "nonsense"} <= paths
    assert any(path.startswith("sources.shop.") for path in paths)
    assert any(path.startswith("sources.-bad") for path in paths)
    assert any(path.startswith("streams.shop.orders.") for path in paths)
    assert all(re.search(r" \(streamd\.toml, line [0-9]+\)$", line) for line in lines)
    assert any(line.startswith("streamd: server.pace: ") and "line 4" in line for line in lines)


def test_every_source_that_cannot_be_made_has_its_line(tmp_path: Path) -> None:
    secret = '{ env = "NO_SUCH_SECRET" }'
    (tmp_path / "streamd.toml").write_text(
        f'[sources.a]\nurl = "redis://localhost"\nget = "x"\npassword = {secret}\n'
        f'[sources.b]\nurl = "http://localhost"\nheaders = {{ X = {secret} }}\n'
    )
    lines = complaint(started("--config", "streamd.toml", folder=tmp_path))
    assert [line.split(": ")[1] for line in lines] == ["sources.a.password", "sources.b.headers.X"]


def test_port_that_cannot_be_is_one_line(tmp_path: Path, busy: int) -> None:
    at_busy = f"tcp:{busy}:interface=127.0.0.1"
    cases = {
        ("--port", "70000"): "port: expected 0 to 65535, not 70000",
        ("--port", "tcp:x"): "port: expected a number or an endpoint",
        ("--port", "0", "--port", at_busy): f"port: cannot listen on {at_busy}: ",
        ("--port", str(busy)): f"port: cannot listen on {busy}: ",
        ("--port", "tcp:0:interface=192.0.2.1"): "port: cannot listen on tcp:0:",
        ("--port", "unix:/no/such/folder/socket"): "port: cannot listen on unix:",
    }
    runs = [started(*arguments, folder=tmp_path) for arguments in cases]
    for run, wanted in zip(runs, cases.values(), strict=True):
        [line] = complaint(run)
        assert line.startswith(f"streamd: {wanted}"), line


def test_unknown_option_is_reported(tmp_path: Path) -> None:
    [line] = complaint(started("--nope", folder=tmp_path))
    assert line == "streamd: option --nope not recognized; --help lists the options"


def test_help_names_the_options(tmp_path: Path) -> None:
    out, _ = started("--help", folder=tmp_path).communicate(timeout=60)
    assert all(option in out for option in ("--port", "--config", "--demo"))


# -- starts ----------------------------------------------------------------------------------------


def test_without_a_configuration_there_is_the_demo_stream(daemon: Daemon) -> None:
    assert list(daemon.request("GET", "/state").json()) == ["variable"]


def test_demo_is_a_wall_of_streams(start_daemon: StartDaemon) -> None:
    daemon = start_daemon("--demo")
    streams = daemon.request("GET", "/streams").json()["streams"]
    assert len(streams) >= 12
    values = wait_until(lambda: daemon.request("GET", "/state").json())
    assert {type(value) for value in values.values()} >= {int, float, str, list}
    wait_until(lambda: daemon.request("GET", "/state").json() != values, what="a change")


def test_demo_beside_a_configuration(start_daemon: StartDaemon) -> None:
    daemon = start_daemon("--demo", config="[streams.mine]\ntitle = 'Mine'")
    streams = daemon.request("GET", "/streams").json()["streams"]
    assert {"mine", "shop.orders"} <= set(streams)
    assert daemon.request("POST", "/streams/mine", "1").status == 401


def test_relative_paths_start_at_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "token").write_text("a-long-enough-secret")
    (tmp_path / "etc" / "streamd.toml").write_text('[access]\npublish = [{ file = "token" }]')
    port = free_port()
    command: list[str | Path] = [TWISTD, "-n", "--pidfile=", "streamd", "--port", str(port)]
    server = Server([*command, "-c", "etc/streamd.toml"], port, tmp_path)
    server.start()
    try:
        token = {"Authorization": "Bearer a-long-enough-secret"}
        assert server.request("POST", "/streams/a", "1", token).status == 201
        assert "secret" not in server.log()
    finally:
        server.finish()


def test_several_ports_and_both_families(tmp_path: Path) -> None:
    both, other = free_port(), free_port()
    command: list[str | Path] = [TWISTD, "-n", "--pidfile=", "streamd", "-p", str(both)]
    path = tmp_path / "socket"
    more = ["--port", f"tcp:{other}:interface=127.0.0.1", "--port", f"unix:{path}"]
    server = Server([*command, *more], both, tmp_path)
    server.start()
    try:
        assert server.request("GET", "/healthz").status == 200
        assert request(other, "GET", "/healthz").status == 200
        if socket.has_dualstack_ipv6():
            with closing(HTTPConnection("::1", both, timeout=5)) as six:
                six.request("POST", "/streams/six", "6")
                assert six.getresponse().status == 201
        assert server.request("POST", "/streams/four", "4").status == 201
        with closing(socket.socket(socket.AF_UNIX)) as local:
            local.connect(str(path))
            local.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert local.recv(100).startswith(b"HTTP/1.1 200")
    finally:
        server.finish()
    assert not accepts(other)


def test_tac(tmp_path: Path) -> None:
    """It has no options: on port 5000 it serves, or says that it cannot."""
    taken = accepts(5000)
    command: list[str | Path] = [TWISTD, "-n", "--pidfile=", "-y", CHECKOUT / "streamd.tac"]
    if taken:
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False
        )
        assert done.returncode == 1
        assert "streamd: port: cannot listen on 5000" in done.stderr
        return
    server = Server(command, 5000, tmp_path)
    server.start()
    try:
        assert list(server.request("GET", "/state").json()) == ["variable"]
    finally:
        server.finish()


# -- stops -----------------------------------------------------------------------------------------


def handshakes(port: int, count: int, stack: ExitStack) -> Sequence[socket.socket]:
    """Viewers that never read, and never answer."""
    mute = []
    for _ in range(count):
        viewer = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        viewer.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        mute.append(viewer)
    return mute


def close_code(viewer: ClientConnection) -> int | None:
    """The code that comes after all messages."""
    try:
        while True:
            viewer.recv(timeout=20)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def test_sigterm_ends_it_soon_and_viewers_are_told(daemon: Daemon) -> None:
    with ExitStack() as stack:
        viewers = [stack.enter_context(connect(daemon.ws_url)) for _ in range(10)]
        handshakes(daemon.port, 5, stack)
        half = stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port)))
        half.sendall(b"GET /sta")
        for viewer in viewers:
            viewer.recv(timeout=20)
        assert daemon.stop() == 0
        for viewer in viewers:
            assert close_code(viewer) == 1012
    assert "Traceback" not in daemon.log()


def test_sigterm_again_and_again_is_one(daemon: Daemon) -> None:
    with ExitStack() as stack:
        mute = handshakes(daemon.port, 1, stack)
        assert mute[0].recv(12) == b"HTTP/1.1 101"
        for _ in range(10):  # it is busy with the mute one meanwhile
            os.kill(daemon.pid, signal.SIGTERM)
            time.sleep(0.02)
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.log()


def test_killed_and_started_again(daemon: Daemon) -> None:
    daemon.request("POST", "/streams/a", "1")
    before = daemon.request("GET", "/state").headers["Streamd-Position"]
    daemon.kill()
    daemon.start()
    # The log was in memory: a cursor of its former life is known as one.
    answer = daemon.request("GET", f"/updates?after={before}&wait=0")
    assert answer.json()["resumed"] is False


def test_log_has_no_line_for_each_request(daemon: Daemon) -> None:
    before = len(daemon.log().splitlines())
    for _ in range(20):
        daemon.request("GET", "/state")
        daemon.request("GET", "/nothing")
        with connect(daemon.ws_url) as viewer:
            viewer.recv(timeout=20)
    lines = [line for line in daemon.log().splitlines() if "a viewer left" not in line]
    assert len(lines) - before <= 2, daemon.log()


# -- the wall clock --------------------------------------------------------------------------------

FAKETIME = [
    Path(f"/usr/lib/{machine}-linux-gnu/faketime/libfaketime.so.1")
    for machine in ("x86_64", "aarch64")
]


def test_clock_set_back_an_hour(start_daemon: StartDaemon, tmp_path: Path) -> None:
    """Updates go on at their rate, and positions still increase."""
    library = next(filter(Path.exists, FAKETIME), None)
    assert library, "no libfaketime here: run tests/install-servers"
    offset = tmp_path / "offset"
    offset.write_text("+0")
    daemon = start_daemon(
        env={
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    )

    def position() -> tuple[int, ...]:
        text = daemon.request("GET", "/state").headers["Streamd-Position"]
        return tuple(map(int, text.split("-")))

    def newest() -> float:
        time_: float = daemon.request("GET", "/streams/variable").json()["time"]
        return time_

    with connect(daemon.ws_url) as viewer:
        viewer.recv(timeout=20)
        before, then = position(), newest()
        (tmp_path / "new").write_text("-3600")
        os.replace(tmp_path / "new", offset)
        last = json.loads(viewer.recv(timeout=20))["variable"]
        for _ in range(4):
            value = json.loads(viewer.recv(timeout=20))["variable"]
            assert value > last
            last = value
        assert position() > before
        assert then - newest() > 3500, "the clock was not set back"
        health = daemon.request("GET", "/streams/variable").json()["health"]
        assert health["state"] == "fresh"
