"""The command `streamd` as a process: what it prints, and how it ends."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support.daemon import STOP_SECONDS

STREAMD = Path(sys.executable).with_name("streamd")


QUERY = "SELECT count(*) AS orders, sum(amount) AS revenue FROM orders"


def environment(**more: str) -> dict[str, str]:
    mine = {key: value for key, value in os.environ.items() if not key.startswith("STREAMD_")}
    return {**mine, "PYTHONUNBUFFERED": "1", **more}


def run(
    *arguments: str | Path, folder: Path, stdin: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [STREAMD, *arguments],
        cwd=folder,
        env=environment(**env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def complaint(*arguments: str | Path, folder: Path, **env: str) -> list[str]:
    """What a command that has to fail says on stderr, a line for each thing that is wrong."""
    done = run(*arguments, folder=folder, **env)
    assert done.returncode == 1, (done.stdout, done.stderr)
    lines = done.stderr.splitlines()
    assert all(line.startswith("streamd: ") for line in lines), lines
    return [line.removeprefix("streamd: ") for line in lines]


@contextmanager
def started(
    *arguments: str | Path, folder: Path, **env: str
) -> Iterator[tuple[subprocess.Popen[str], Callable[[], str]]]:
    """A command that goes on, and what it has said so far (both outputs)."""
    log = folder / "said.txt"
    with log.open("w") as out:
        process = subprocess.Popen(
            [STREAMD, *arguments],
            cwd=folder,
            env=environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            # Whoever runs the tests in the background has it ignored, and so would all children.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
    try:
        yield process, log.read_text
    finally:
        process.kill()
        process.wait()


def interrupt(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    return process.wait(STOP_SECONDS)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with the README's shop.db: three orders."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as file, file:
        file.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, amount REAL, created TEXT)")
        file.executemany("INSERT INTO orders (amount) VALUES (?)", [(2.5,), (3,), (4,)])
    return tmp_path
