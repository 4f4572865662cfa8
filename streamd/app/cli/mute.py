"""``streamd mute``: stop an alert from reporting new events for a while."""

from __future__ import annotations

from typing import Any

from streamd.app.cli.arguments import Commands, add_url, command, remote_daemon
from streamd.app.cli.output import answer
from streamd.app.cli.tail import iso_time


def add_parser(commands: Commands) -> None:
    parser = command(
        commands,
        "mute",
        mute,
        "Let an alert report nothing new for a while",
        "It still reports what is over.",
    )
    parser.add_argument("name", help="the NAME of [alerts.NAME]")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--for", dest="lasting", metavar="TIME", help='a duration, such as "2h"')
    how.add_argument("--off", action="store_true", help="end the mute")
    add_url(parser)


def mute(arguments: Any) -> None:
    name, lasting = arguments.name, arguments.lasting
    said = {"command": "unmute"} if arguments.off else {"command": "mute", "for": lasting}
    until = remote_daemon(arguments).command_alert(name, said).get("until")
    answer(f"{name} is not muted" if until is None else f"{name} is muted until {iso_time(until)}")
