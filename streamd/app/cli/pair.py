"""``streamd pair``: let in a screen that shows a code."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from streamd.app.cli.arguments import Commands, add_url, command, remote_daemon
from streamd.app.cli.output import answer


def add_parser(commands: Commands) -> None:
    parser = command(
        commands,
        "pair",
        pair,
        "Let in a screen that shows a code",
        "It may read its wall, and the walls of its table in [[screens]].",
    )
    parser.add_argument("code", help="what the screen shows")
    parser.add_argument("--name", required=True, help="the name that the screen gets")
    parser.add_argument(
        "--wall", default="", help="its wall; a screen with walls in [[screens]] needs none"
    )
    add_url(parser)


def pair(arguments: Any) -> None:
    path = f"/pairing/{quote(arguments.code, safe='')}"
    said = {"name": arguments.name, "wall": arguments.wall}
    made = remote_daemon(arguments).ask("POST", path, said)
    # Whoever asks for another screen to be let in shows a code, too: its address tells them apart.
    answer(f"{made['name']} at {made['address']} may read the wall {made['wall']}")
