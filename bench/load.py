"""The load generator, bench/load.c, as a process: viewers or publishers that somebody counts."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BUILT = HERE.parent / "build" / "bench"

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
"""Every server has the one for itself, the load the other."""

PATIENCE = 60.0
"""Seconds for an answer; the load itself waits 40 for its viewers to be there."""


class Failed(Exception):
    """A measurement that cannot be made; its text says why, in one line."""


def compiled(name: str) -> Path:
    """A C program of this folder, compiled if it is newer than what there is.

    :raises Failed: without a compiler, or when it fails.
    """
    source, program = HERE / f"{name}.c", BUILT / name
    if program.exists() and program.stat().st_mtime >= source.stat().st_mtime:
        return program
    compiler = shutil.which("cc")
    if compiler is None:
        raise Failed("there is no C compiler (cc): install gcc or clang")
    program.parent.mkdir(parents=True, exist_ok=True)
    command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{source.name} cannot be compiled: {done.stderr}")
    return program


def pinned(core: int) -> Any:
    """What a new process does first: it stays on this core."""
    return partial(os.sched_setaffinity, 0, {core})


class Load:
    """One load generator.

    :ivar ready: what it said when all were connected: ``connected``, ``seconds``, ``connect_p99``…
    """

    def __init__(self, mode: str, port: int, *options: str) -> None:
        """Starts it, and waits until all are there.

        :param mode: ``view`` or ``publish``.
        :raises Failed: if not all get in.
        """
        command = [str(compiled("load")), mode, "--port", str(port), *options]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=pinned(LOAD_CORE),
        )
        try:
            self.ready = self._answer()
            if self.ready["failed"]:
                raise Failed(f"{self.ready['failed']} connections were not made")
        except Failed:
            self.end()
            raise

    def mark(self) -> None:
        """Count from now on."""
        self._say("mark")

    def report(self) -> dict[str, Any]:
        """What was counted since the mark: ``messages``, ``updates``, ``p99``, ``busy``…"""
        self._say("report")
        return self._answer()

    def end(self) -> None:
        """All leave, without a word."""
        self._process.kill()
        self._process.communicate()

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        there, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        line = self._process.stdout.readline() if there else ""
        if not line:
            raise Failed("the load does not answer" if not there else "the load ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *failure: object) -> None:
        self.end()
