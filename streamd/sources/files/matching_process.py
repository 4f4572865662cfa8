"""Reads lines by a regular expression, in its own process: some expressions take hours.

This file is run as a script.  The first line of its input is the expression; each further line has
a line of the file.  All are JSON texts.  The process answers the first with null when it is ready.
It answers each further one with a JSON object of the named groups, or null if the line does not
match.
"""

from __future__ import annotations

import json
import re
import signal
import sys

ALARM = 60
"""Seconds after which one line ends the process, if nobody is left to end it earlier."""


def main() -> None:
    """Answer each line until the input ends."""
    pattern = re.compile(json.loads(sys.stdin.readline()))
    _answer(None)
    for line in sys.stdin:
        signal.alarm(ALARM)  # its default action needs no thread of Python's
        found = pattern.search(json.loads(line))
        _answer(found and found.groupdict())


def _answer(groups: dict[str, str | None] | None) -> None:
    sys.stdout.write(json.dumps(groups) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
