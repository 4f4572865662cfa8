"""Parts of the command line that several commands share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

from streamd.app.cli.remote_daemon import RemoteDaemon

URL = "http://localhost:5000"

Commands = Any  # argparse has no public name for what add_subparsers returns


def command(
    commands: Commands, name: str, run: Callable[[Any], None], help: str, more: str = ""
) -> argparse.ArgumentParser:
    """Add a command.

    :param run: takes the parsed arguments.
    :param help: a sentence without its full stop, for ``streamd --help``.
    :param more: further text for ``streamd COMMAND --help``.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help, description=f"{help}. {more}"
    )
    parser.set_defaults(run=run)
    return parser


def add_url(parser: argparse.ArgumentParser) -> None:
    """Add ``--url``, which names the daemon."""
    parser.add_argument(
        "--url",
        default=os.environ.get("STREAMD_URL", URL),
        help=f"the daemon [default: $STREAMD_URL, or {URL}]; $STREAMD_TOKEN is sent as its token",
    )


def remote_daemon(arguments: Any) -> RemoteDaemon:
    """Return the daemon that ``--url`` names."""
    return RemoteDaemon(arguments.url, os.environ.get("STREAMD_TOKEN", "").strip())
