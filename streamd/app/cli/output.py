"""Prints for the commands: answers on standard output, all other text on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn


def answer(text: str) -> None:
    """Print the result of a command on standard output."""
    print(text, flush=True)  # noqa: T201


def note(text: str) -> None:
    """Print a message on standard error, apart from the result of the command."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def warn(problem: str) -> None:
    """Print a problem on standard error."""
    note(f"streamd: {problem}")


def fail(problems: Sequence[str]) -> NoReturn:
    """:raises SystemExit: with status 1, after a line for each problem."""
    for problem in problems:
        warn(problem)
    raise SystemExit(1)
