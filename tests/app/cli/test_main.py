"""`streamd` itself: its help, and command lines that it refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from streamd import __version__
from tests.support.net import free_port
from tests.support.shell import environment, run


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


@pytest.mark.parametrize(
    "words", [["tail"], ["publish", "a", "1"], ["screens"], ["mute", "a", "--for", "1h"]]
)
def test_no_daemon_at_the_default_address(words: Sequence[str], tmp_path: Path) -> None:
    """A daemon on another port is the most likely reason, so the error names the option."""
    url = f"http://localhost:{free_port()}"
    code = "from streamd.app.cli import arguments, main; "
    code += f"arguments.URL = main.URL = {url!r}; main.main()"
    for more, end in ([], "name it: --url http://HOST:PORT\n"), (["--url", f"{url}/"], "refused\n"):
        command = [sys.executable, "-c", code, *words, *more]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.endswith(end)
