"""A Redis server of one's own, which can be stopped, killed and frozen: `redis`."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hiredis
import pytest

from tests.support.certificate import make_certificate
from tests.support.daemon import Server, serving
from tests.support.net import free_port


class Redis(Server):
    """redis-server; what it holds is in `data`, and survives `stop` and `kill`."""

    def __init__(self, folder: Path, *options: str) -> None:
        program = shutil.which("redis-server")
        assert program, "no redis-server here: run tests/install-servers"
        port = free_port()
        self.data = folder / "redis"
        self.data.mkdir(parents=True)
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(self.data)]
        command += ["--appendonly", "yes", "--appendfsync", "always", "--save", "", *options]
        super().__init__(command, port, folder)

    def serves(self) -> bool:
        """It has read its log."""
        try:
            return bool(self.say("PING"))
        except (OSError, hiredis.ReplyError):
            return False

    def say(self, *words: str | int | bytes) -> Any:
        """The answer to one command on a connection of its own; an error is raised."""
        [answer] = self.pipeline(words)
        if isinstance(answer, hiredis.ReplyError):
            raise answer
        return answer

    def pipeline(self, *commands: tuple[str | int | bytes, ...]) -> list[Any]:
        """The answers to commands that are sent in one piece on a connection of their own."""
        reader = hiredis.Reader(encoding="utf-8")
        answers: list[Any] = []
        packed = b"".join(map(hiredis.pack_command, commands))  # type: ignore[arg-type]
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(packed)
            while len(answers) < len(commands):
                while (answer := reader.gets()) is False:
                    data = connection.recv(65536)
                    assert data, "Redis closed the connection"
                    reader.feed(data)
                answers.append(answer)
        return answers


def redis_within_tls(folder: Path) -> tuple[Redis, int]:
    """One that runs, with a certificate of its own, `cert.pem`; and the port that wants TLS."""
    make_certificate(folder)
    port = free_port()
    tls = ["--tls-port", str(port), "--tls-auth-clients", "no"]
    server = Redis(folder, *tls, "--tls-cert-file", "../cert.pem", "--tls-key-file", "../key.pem")
    server.start()
    return server, port


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    """A server that runs, with nothing in it."""
    yield from serving(Redis(tmp_path))
