"""``streamd``: the console script and its commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from streamd import __version__
from streamd.app.cli.arguments import URL
from streamd.app.cli.output import fail
from streamd.app.cli.remote_daemon import DaemonUnreachable, Declined, NoAnswer
from streamd.config.fields import ConfigError

COMMANDS = {
    "serve": "serve",
    "try": "try_query",
    "check": "check",
    "publish": "publish",
    "tail": "tail",
    "alert": "alert",
    "mute": "mute",
    "pair": "pair",
    "screens": "screens",
    "link": "link",
    "revoke": "revoke",
    "backup": "backup",
    "doctor": "doctor",
}
"""Each command and the module here that has its ``add_parser(commands)``, in the order of ``--help``.

Only the module of the command that runs is imported, because all of them take more than a second.
"""

EXAMPLES = """
  streamd try shop.db "SELECT count(*) AS orders, sum(amount) AS revenue FROM orders"
  streamd check streamd.toml
  streamd publish orders 42
  streamd tail 'shop.*'
  streamd alert test shop
  streamd mute shop --for 2h
  streamd pair KXWQRF --name kitchen-tv --wall kitchen
  streamd screens
  streamd link --wall lobby --for 7d
  streamd revoke kitchen-tv
  streamd backup /srv/backup/streamd.db
  streamd doctor https://wall.example.org/
  streamd serve --port 5000 --config streamd.toml

streamd serve is the same as twistd -n streamd.
"""


ELSEWHERE = "if the daemon has another address or port, name it: --url http://HOST:PORT"


def main() -> None:
    """Run the command that the command line names; never return.

    :raises SystemExit: 0; 1 after a line for each problem; 2 for a wrong command line.
    """
    parser = _parser(sys.argv[1:2])
    arguments, rest = parser.parse_known_args()
    if rest and sys.argv[1] != "serve":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.rest = rest
    try:
        arguments.run(arguments)
    except ConfigError as error:
        fail(error.problems)
    except (Declined, DaemonUnreachable) as error:
        nowhere = isinstance(error, NoAnswer) and arguments.url == URL
        fail([f"{error}; {ELSEWHERE}" if nowhere else str(error)])
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    raise SystemExit(0)


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser for the command in the first word; for all commands if it is no command."""
    parser = argparse.ArgumentParser(
        "streamd",
        description="Shows the current state of your data streams on every screen.",
        epilog="examples:" + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"streamd {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for word in COMMANDS.keys() & words or COMMANDS:
        import_module(f"streamd.app.cli.{COMMANDS[word]}").add_parser(commands)
    return parser
