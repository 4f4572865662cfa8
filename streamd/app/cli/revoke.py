"""``streamd revoke``: end the grant of a screen or of a link."""

from __future__ import annotations

from typing import Any

from streamd.app.cli.arguments import Commands, add_url, command, remote_daemon
from streamd.app.cli.output import answer
from streamd.app.cli.screens import find, path_of


def add_parser(commands: Commands) -> None:
    parser = command(
        commands,
        "revoke",
        revoke,
        "End the grant of a screen or of a link",
        "Its pages show nothing any more within five seconds.",
    )
    parser.add_argument("name", help="a name or an id, as streamd screens lists them")
    add_url(parser)


def revoke(arguments: Any) -> None:
    daemon = remote_daemon(arguments)
    grant = find(daemon, arguments.name)
    daemon.ask("DELETE", path_of(grant))
    answer(f"the {grant['kind']} {grant['name']} has no grant any more")
