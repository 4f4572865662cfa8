"""``streamd tail``: print the updates of streams as they come."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from streamd.app.cli.arguments import Commands, add_url, command, remote_daemon
from streamd.app.cli.output import answer, warn


def add_parser(commands: Commands) -> None:
    parser = command(
        commands, "tail", tail, "Print the newest update of streams, and every one from now on"
    )
    parser.add_argument(
        "streams", nargs="*", help="names and globs, such as 'shop.*' [default: all]"
    )
    parser.add_argument("--history", type=int, default=1, metavar="N", help="begin with the last N")
    parser.add_argument("--json", action="store_true", help="each update as a JSON object")
    add_url(parser)


def tail(arguments: Any) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "| head" ends the command
    form = _as_json if arguments.json else _as_line
    daemon = remote_daemon(arguments)
    with suppress(KeyboardInterrupt):
        for update in daemon.follow(arguments.streams, arguments.history, warn):
            answer(form(update))


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _as_line(update: Mapping[str, Any]) -> str:
    return f"{iso_time(update['time'])} {update['stream']} {_as_json(update['value'])}"


def iso_time(time: float) -> str:
    """Return a time in seconds since the epoch as ISO 8601, or as a number if it has no date."""
    try:
        return datetime.fromtimestamp(time).astimezone().isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return str(time)
