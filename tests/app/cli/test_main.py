"""`streamd` itself: its help, and command lines that it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from streamd import __version__
from tests.support.shell import run


def test_version_and_help(tmp_path: Path) -> None:
    assert run("--version", folder=tmp_path).stdout == f"streamd {__version__}\n"
    done = run("--help", folder=tmp_path)
    assert done.returncode == 0
    for command in ("serve", "try", "check", "publish", "tail", "backup"):
        assert f"streamd {command} " in done.stdout
        assert run(command, "--help", folder=tmp_path).returncode == 0


@pytest.mark.parametrize(
    "words", [[], ["dance"], ["try", "shop.db"], ["publish", "a"], ["tail", "--history", "x"]]
)
def test_invalid_command_is_status_two(tmp_path: Path, words: Sequence[str]) -> None:
    done = run(*words, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: streamd")
