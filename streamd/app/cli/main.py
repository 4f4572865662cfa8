"""``streamd``: the console script and its commands."""

from __future__ import annotations

import argparse

from streamd import __version__
from streamd.app.cli import backup, check, publish, serve, tail, try_query
from streamd.app.cli.output import fail
from streamd.app.cli.remote_daemon import DaemonUnreachable, Declined
from streamd.config.fields import ConfigError

COMMANDS = (serve, try_query, check, publish, tail, backup)
"""Modules with ``add_parser(commands)``, in the order of ``streamd --help``."""

EXAMPLES = """
  streamd try shop.db "SELECT count(*) AS orders, sum(amount) AS revenue FROM orders"
  streamd check streamd.toml
  streamd publish orders 42
  streamd tail 'shop.*'
  streamd backup /srv/backup/streamd.db
  streamd serve --port 5000 --config streamd.toml

streamd serve is the same as twistd -n streamd.
"""


def main() -> None:
    """Run the command that the command line names; never return.

    :raises SystemExit: 0; 1 after a line for each problem; 2 for a wrong command line.
    """
    parser = _parser()
    arguments, rest = parser.parse_known_args()
    if rest and arguments.run is not serve.serve:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.rest = rest
    try:
        arguments.run(arguments)
    except ConfigError as error:
        fail(error.problems)
    except (Declined, DaemonUnreachable) as error:
        fail([str(error)])
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    raise SystemExit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "streamd",
        description="Shows the current state of your data streams on every screen.",
        epilog="examples:" + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"streamd {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add_parser(commands)
    return parser
