"""Small Node scripts, with the `ws` module: the other world's WebSocket client."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon import CHECKOUT

# Where the package node-ws puts its modules; only Debian's own node looks there by itself.
NODE_MODULES = Path("/usr/share/nodejs")


def socketio_client() -> Path:
    """The folder with the modules of the stock client of Socket.IO, which the Makefile installs."""
    found = sorted((CHECKOUT / "build").glob("socket.io-client-*/node_modules"))
    assert found, "no client of Socket.IO here: run `make socketio-client`"
    return found[-1]


RunNode = Callable[..., str]


@pytest.fixture
def node(tmp_path: Path) -> RunNode:
    """Runs `node(script, *arguments)` and returns what it printed.

    The script reads the arguments from process.argv[2] on, and may `require("ws")`. AssertionError,
    with all that it said, if it fails or takes longer than `seconds`.
    """

    def run(script: str, *arguments: str, seconds: float = 20) -> str:
        program = shutil.which("node")
        assert program, "no node here: run tests/install-servers"
        file = tmp_path / "script.cjs"
        file.write_text(script)
        try:
            done = subprocess.run(
                [program, str(file), *arguments],
                env={**os.environ, "NODE_PATH": str(NODE_MODULES)},
                capture_output=True,
                text=True,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as late:
            raise AssertionError(
                f"node did not end within {seconds:g} s: {late.stdout!r}"
            ) from None
        assert done.returncode == 0, (
            f"node ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
        return done.stdout

    return run
