"""What the commands print: answers on standard output, all else on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn


def answer(text: str) -> None:
    """Print what the command was asked for."""
    print(text, flush=True)  # noqa: T201


def note(text: str) -> None:
    """Tell the user something, so that it does not mix with the answer."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def warn(problem: str) -> None:
    """Tell the user of a problem."""
    note(f"streamd: {problem}")


def fail(problems: Sequence[str]) -> NoReturn:
    """:raises SystemExit: with status 1, after a line for each problem."""
    for problem in problems:
        warn(problem)
    raise SystemExit(1)
