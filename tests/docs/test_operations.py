"""What docs/operations.rst says to type exists.  `make check-operations` runs it in a systemd."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from io import StringIO

import pytest

from streamd.app.cli.main import COMMANDS, main
from tests.support.daemon import CHECKOUT, Daemon
from tests.support.pages import shell_blocks

PAGE = CHECKOUT / "docs/operations.rst"
LINES = [line.strip() for block in shell_blocks(PAGE) for line in block.split("\n")]


def words_after(program: str) -> Iterator[list[str]]:
    """The words after a program, in each line that runs it."""
    for line in LINES:
        words = shlex.split(line, comments=True)
        for number, word in enumerate(words):
            if word == program:
                yield words[number + 1 :]
                break


def options(command: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The options that a command of streamd tells in its help."""
    monkeypatch.setattr(sys, "argv", ["streamd", command, "--help"])
    with redirect_stdout(StringIO()) as said, suppress(SystemExit):
        main()
    return set(re.findall(r"--[a-z][\w-]*", said.getvalue()))


def test_commands_of_streamd(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = re.findall(
        r"^    streamd (doctor .*)|bin/streamd (serve .*)", PAGE.read_text(), re.M
    )
    commands = [
        *words_after("/opt/streamd/bin/streamd"),
        *("".join(found).split() for found in elsewhere),
    ]
    assert len(commands) >= 7
    for command, *words in commands:
        assert command in COMMANDS
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= options(command, monkeypatch), command


def test_targets_and_variables_of_make() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)", makefile, re.M)
    assert targets
    used = (CHECKOUT / "systemd/install").read_text()
    for target, *variables in filter(None, words_after("make")):
        if target == "python3-venv":  # apt-get installs make
            continue
        assert target in targets[1].split()
        assert all(f"${{{word.partition('=')[0]}:-" in used for word in variables)


def test_units() -> None:
    named = {
        re.sub(r"@.*\.", "@.", word if "." in word else f"{word}.service")
        for words in words_after("systemctl")
        for word in words
        if word.startswith("streamd")
    }
    assert named == {"streamd.service", "streamd.socket", "streamd@.service", "streamd@.socket"}
    assert all((CHECKOUT / "systemd" / name).exists() for name in named)


def test_addresses(daemon: Daemon) -> None:
    paths = {*re.findall(r"localhost:5000(/[\w/]*)", PAGE.read_text()), "/healthz"}
    assert paths >= {"/", "/metrics"}
    for path in paths:
        assert daemon.request("GET", path).status == 200, path
