"""``streamd doctor`` as a command: its lines, its status, and servers that are none."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.net import free_port
from tests.support.nginx import StartNginx
from tests.support.shell import run


def test_nothing_is_wrong(daemon: Daemon, tmp_path: Path) -> None:
    ended = run("doctor", daemon.url, "--hold", "1s", folder=tmp_path)
    assert ended.returncode == 0, ended.stdout
    assert ended.stderr == ""
    lines = ended.stdout.splitlines()
    names = " ".join(line.split()[1] for line in lines)
    assert names == "server host client origin websocket events idle token clock version"
    assert all(line.startswith("ok ") for line in lines)


def test_fault_is_reported_with_its_lines(
    daemon: Daemon, start_nginx: StartNginx, tmp_path: Path
) -> None:
    proxy = start_nginx(daemon, bare=True)
    ended = run("doctor", proxy.url, "--hold", "0s", folder=tmp_path)
    assert ended.returncode == 1
    assert "\nwrong host        streamd hears 127.0.0.1" in ended.stdout
    assert "\n      nginx: proxy_set_header Host $http_host;\n" in ended.stdout
    assert f'\n      streamd.toml, [server]: url = "{proxy.url}/"\n' in ended.stdout


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", b"\0" * 99]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_another_kind_of_server(said: bytes, scheme: str, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(said)

        threading.Thread(target=serve, daemon=True).start()
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        ended = run("doctor", url, folder=tmp_path)
        listener.shutdown(socket.SHUT_RDWR)
    assert ended.returncode == 1
    assert len(ended.stdout.splitlines()) == 1, ended.stdout
    assert ended.stdout.startswith("wrong server")


def test_no_server_answers(tmp_path: Path) -> None:
    for url, text in (
        (f"http://localhost:{free_port()}", "Connection refused"),
        ("http://no.such.invalid", "no answer"),
    ):
        ended = run("doctor", url, folder=tmp_path)
        assert ended.returncode == 1
        assert text in ended.stdout
    for words in (["localhost:5000"], ["http://ann:s3cret@"], ["http://x/", "--hold", "soon"]):
        ended = run("doctor", *words, folder=tmp_path)
        assert ended.returncode == 1
        assert ended.stderr.startswith("streamd: expected a")
        assert "s3cret" not in ended.stderr
