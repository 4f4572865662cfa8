"""The client of the commands: addresses, servers and links that fail."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, StartDaemon
from tests.support.net import free_port, wait_until
from tests.support.shell import STREAMD, complaint, started


@pytest.mark.parametrize("words", [("publish", "a", "1"), ("tail",)])
def test_no_daemon(words: Sequence[str], tmp_path: Path) -> None:
    nowhere = f"http://localhost:{free_port()}"
    lines = {
        nowhere: f"cannot reach {nowhere}: Connection refused",
        "http://no.such.invalid": "cannot reach http://no.such.invalid: ",
        "http://a..b:1": "cannot reach http://a..b:1: ",
        "localhost:5000": "expected a URL such as http://localhost:5000, not localhost:5000",
        "http://": "expected a URL",
        "http://localhost:port": "expected a URL",
        "ftp://localhost": "expected a URL",
    }
    for url, wanted in lines.items():
        [line] = complaint(*words, "--url", url, folder=tmp_path)
        assert line.startswith(wanted)


@pytest.mark.parametrize("words", [("publish", "a", "1"), ("tail",)])
def test_another_server(words: Sequence[str]) -> None:
    """One that has nothing there, one that answers everything, one that speaks no HTTP."""
    answers = {
        b"HTTP/1.0 404 Not Found\r\n\r\n": "Not Found",
        b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<p>Hello": "is not a streamd daemon",
        b"SSH-2.0-OpenSSH\r\n": "cannot reach",
    }
    for said, wanted in answers.items():
        with closing(socket.create_server(("127.0.0.1", 0))) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            command: list[str | Path] = [STREAMD, *words, "--url", url]
            process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(said)
            connection.close()
            _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert wanted in err
        assert len(err.splitlines()) == 1, err


def test_tail_survives_a_restart(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon(config='[access]\npublish = "loopback"')
    daemon.request("POST", "/streams/a", "1")
    with started("tail", "--url", daemon.url, folder=tmp_path) as (_, said):
        wait_until(lambda: said().endswith(" a 1\n"))
        daemon.kill()
        wait_until(lambda: "cannot reach" in said())
        time.sleep(3)
        assert said().count("coming back") <= 2  # not one for each attempt
        daemon.start()
        daemon.request("POST", "/streams/a", "2")
        wait_until(lambda: said().endswith(" a 2\n"))
        assert "some updates were missed" in said()  # the log was in memory


def test_tail_continues_where_it_was(daemon: Daemon, tmp_path: Path) -> None:
    """A link that breaks: nothing is printed twice, nothing is left out."""
    daemon.request("POST", "/streams/a", "1")
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with started("tail", "a", "--url", url, folder=tmp_path) as (_, said):
            with relayed(listener, daemon.port):
                wait_until(lambda: said().endswith(" a 1\n"))
            for value in ("2", "3"):
                daemon.request("POST", "/streams/a", value)
            with relayed(listener, daemon.port):
                wait_until(lambda: said().endswith(" a 3\n"))
    printed = [line for line in said().splitlines() if " a " in line]
    assert [line.split()[-1] for line in printed] == ["1", "2", "3"]


@contextmanager
def relayed(listener: socket.socket, port: int) -> Iterator[None]:
    """The next connection goes to `port`, as long as this lasts."""
    listener.settimeout(30)
    near, _ = listener.accept()
    far = socket.create_connection(("127.0.0.1", port))
    pump = f"""
import socket, threading
def copy(a, b):
    while data := a.recv(65536): b.sendall(data)
near, far = (socket.socket(fileno=n) for n in ({near.fileno()}, {far.fileno()}))
threading.Thread(target=copy, args=(near, far), daemon=True).start()
copy(far, near)
"""
    fds = (near.fileno(), far.fileno())
    relay = subprocess.Popen([sys.executable, "-c", pump], pass_fds=fds)
    near.close()
    far.close()
    try:
        yield
    finally:
        relay.kill()
        relay.wait()
