"""Prints for the commands: answers on standard output, all other text on standard error.

Each call prints one line.  Control characters are escaped.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from streamd.core.printable import printable, showable


def answer(text: str) -> None:
    """Print a line of the result of a command on standard output."""
    print(printable(text), flush=True)  # noqa: T201


def note(text: str) -> None:
    """Print a line on standard error, apart from the result of the command."""
    print(showable(text), file=sys.stderr, flush=True)  # noqa: T201


def warn(problem: str) -> None:
    """Print a problem on standard error."""
    note(f"streamd: {problem}")


def fail(problems: Sequence[str]) -> NoReturn:
    """Print a line for each problem, and exit with status 1."""
    for problem in problems:
        warn(problem)
    raise SystemExit(1)
