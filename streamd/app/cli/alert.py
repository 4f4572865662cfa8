"""``streamd alert test``: send a test to each address of an alert."""

from __future__ import annotations

from typing import Any

from streamd.app.cli.arguments import Commands, add_url, command, remote_daemon
from streamd.app.cli.output import answer, fail


def add_parser(commands: Commands) -> None:
    parser = command(commands, "alert", test, "Send a test to each address of an alert")
    parser.add_argument("action", choices=["test"], help="the only one")
    parser.add_argument("name", help="the NAME of [alerts.NAME]")
    add_url(parser)


def test(arguments: Any) -> None:
    sent = remote_daemon(arguments).command_alert(arguments.name, {"command": "test"})["sent"]
    problems = [f"{each['to']}: {each['error']}" for each in sent if each["error"] is not None]
    for each in sent:
        if each["error"] is None:
            answer(f"{each['to']}: delivered")
    if problems:
        fail(problems)
