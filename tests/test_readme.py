"""What README.rst says to do works, on another port than 5000."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from textwrap import dedent

from tests.support.daemon import CHECKOUT, TWISTD, Daemon, Server
from tests.support.net import free_port

README = (CHECKOUT / "README.rst").read_text()


def blocks(language: str) -> list[str]:
    """The code blocks of README.rst in this language."""
    form = rf"^\.\. code-block:: {language}\n\n((?:(?:    .*)?\n)+)"
    return [dedent(block).strip() for block in re.findall(form, README, re.MULTILINE)]


def shell(block: str, port: int) -> str:
    command = block.replace("localhost:5000", f"localhost:{port}")
    done = subprocess.run(
        ["sh", "-ec", command], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_shell_commands(daemon: Daemon) -> None:
    publish, state = blocks("sh")
    answer = json.loads(shell(publish, daemon.port))
    assert (answer["stream"], answer["seq"]) == ("orders", 1)
    assert json.loads(shell(state, daemon.port))["orders"] == 42


def test_page_is_the_example() -> None:
    [page] = blocks("html")
    example = (CHECKOUT / "examples" / "bare.html").read_text()
    assert page in example


def test_daemon_by_hand(tmp_path: Path) -> None:
    [line] = re.findall(r"\.venv/bin/twistd (.* --port) 5000$", README, re.MULTILINE)
    port = free_port()
    server = Server([TWISTD, *line.split(), str(port)], port, tmp_path)
    server.start()
    try:
        assert server.request("GET", "/state").status == 200
    finally:
        server.finish()


def test_every_command_of_make_test_is_there() -> None:
    """README's plain commands are those behind `make test`."""
    for command in (
        "pip install -e .[test]",
        "ruff check",
        "ruff format --check",
        "mypy",
        "pytest",
    ):
        assert f".venv/bin/{command}" in README
    assert "tests/install-servers" in README
