"""``streamd serve``: run the daemon, as ``twistd -n streamd`` does."""

from __future__ import annotations

import sys
from typing import Any

from twisted.scripts import twistd

from streamd.app.cli.arguments import Commands
from streamd.app.tap import Options


class ServeOptions(Options):
    """The options of ``twistd streamd``, whose help names this command."""

    synopsis = f"Usage: streamd serve {Options.synopsis}"


def add_parser(commands: Commands) -> None:
    """Add the command.  It has the options of ``twistd streamd``, also ``--help``."""
    parser = commands.add_parser("serve", help="Run the daemon in the foreground", add_help=False)
    parser.set_defaults(run=serve)


def serve(arguments: Any) -> None:
    """Run twistd.  Unlike twistd by itself, it writes no ``twistd.pid``.

    :raises SystemExit: after the help, or with a line for a mistake in the command line.
    """
    ServeOptions().parseOptions(arguments.rest)  # twistd's help would name twistd
    sys.argv[1:] = ["--nodaemon", "--pidfile=", "streamd", *arguments.rest]
    twistd.run()
