"""``streamd link``: make an address that lets everybody who opens it read one wall."""

from __future__ import annotations

from typing import Any

from streamd.app.cli.arguments import Commands, add_url, command, remote_daemon
from streamd.app.cli.output import answer, note
from streamd.app.cli.tail import iso_time

LOOPBACK = ("http://localhost:", "http://127.", "http://[::1]")
"""How addresses begin that work on the daemon's machine alone."""


def add_parser(commands: Commands) -> None:
    parser = command(
        commands,
        "link",
        link,
        "Make an address that lets everybody who opens it read one wall",
        "It is of [server] url, or of --url if the configuration has none.",
    )
    parser.add_argument("--wall", required=True, help="the name of a wall")
    parser.add_argument(
        "--for", dest="lasting", metavar="TIME", required=True, help='a duration, such as "7d"'
    )
    parser.add_argument(
        "--name", default="", help='the name for "streamd revoke" [default: that of the wall]'
    )
    add_url(parser)


def link(arguments: Any) -> None:
    wanted = {"wall": arguments.wall, "for": arguments.lasting, "name": arguments.name}
    made = remote_daemon(arguments).ask("POST", "/links", wanted)
    answer(made["address"])
    note(f"everybody who has it may read the wall {made['wall']} until {iso_time(made['until'])}")
    if made["address"].startswith(LOOPBACK):
        note("it works on this machine alone: set [server] url, or --url to the daemon's address")
