"""``streamd serve``: run the daemon, as ``twistd -n streamd`` does."""

from __future__ import annotations

import sys
from typing import Any

from twisted.scripts import twistd

from streamd.app.cli.arguments import Commands


def add_parser(commands: Commands) -> None:
    """Add the command.  All its options, ``--help`` too, are those of ``twistd streamd``."""
    parser = commands.add_parser("serve", help="Run the daemon in the foreground", add_help=False)
    parser.set_defaults(run=serve)


def serve(arguments: Any) -> None:
    """Run twistd.  Unlike twistd by itself, it writes no ``twistd.pid``."""
    sys.argv[1:] = ["--nodaemon", "--pidfile=", "streamd", *arguments.rest]
    twistd.run()
