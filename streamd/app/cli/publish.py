"""``streamd publish``: publish one value."""

from __future__ import annotations

import os
import sys
from typing import Any

from streamd.app.cli.arguments import Commands, add_url, command, remote_daemon


def add_parser(commands: Commands) -> None:
    parser = command(commands, "publish", publish, "Publish one value")
    parser.add_argument("stream", help="its name")
    parser.add_argument("value", help="JSON or text; - to read it from standard input")
    add_url(parser)


def publish(arguments: Any) -> None:
    value = os.fsencode(arguments.value)
    if value == b"-":
        value = sys.stdin.buffer.read().removesuffix(b"\n")
    remote_daemon(arguments).publish(arguments.stream, value)
