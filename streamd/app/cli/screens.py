"""``streamd screens``: list the screens, the waiting screens and the links, or rename a screen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from streamd.app.cli.arguments import Commands, add_url, command, remote_daemon
from streamd.app.cli.output import answer
from streamd.app.cli.remote_daemon import Declined, RemoteDaemon
from streamd.app.cli.tail import iso_time

ADDRESS = "/grants"

Row = tuple[str, str, str]
"""The name, the wall, and how it is."""


def add_parser(commands: Commands) -> None:
    parser = command(
        commands,
        "screens",
        screens,
        "List the screens, those who wait, and the links",
        "A screen without a grant reads the wall because everybody may, or a proxy lets it in.",
    )
    parser.add_argument("--rename", nargs=2, metavar=("OLD", "NEW"), help="rename a screen")
    add_url(parser)


def screens(arguments: Any) -> None:
    daemon = remote_daemon(arguments)
    if arguments.rename:
        rename(daemon, *arguments.rename)
        return
    grants = daemon.ask("GET", ADDRESS)["grants"]
    known = daemon.ask("GET", "/screens")["screens"]
    waiting = daemon.ask("GET", "/pairing")["waiting"]
    for line in table(rows(grants, known, waiting)):
        answer(line)


def rename(daemon: RemoteDaemon, old: str, new: str) -> None:
    """Rename a screen or a link."""
    grant = find(daemon, old)
    daemon.ask("POST", path_of(grant), {"name": new})
    answer(f"{grant['name']} is called {new}")


def find(daemon: RemoteDaemon, named: str) -> dict[str, Any]:
    """Return the grant with a name or an id.

    :raises Declined: if no grant has it, or several links have it.
    """
    grants = daemon.ask("GET", ADDRESS)["grants"]
    found = [grant for grant in grants if named in (grant["name"], grant["id"])]
    if not found:
        raise Declined(f"there is no grant called {named}; streamd screens lists all")
    if len(found) > 1:
        ids = ", ".join(f"{grant['id']} ({grant['kind']})" for grant in found)
        raise Declined(f"several grants are called {named}; name one by its id: {ids}")
    only: dict[str, Any] = found[0]
    return only


def path_of(grant: Mapping[str, Any]) -> str:
    """Return the path of a grant."""
    return f"{ADDRESS}/{quote(grant['id'], safe='')}"


def rows(
    grants: Iterable[Mapping[str, Any]],
    known: Mapping[str, Mapping[str, Any]],
    waiting: Iterable[Mapping[str, Any]],
) -> Iterator[Row]:
    """Yield a row for each grant, for each other screen, and for each screen that waits.

    :param grants: the list that ``GET /grants`` returns.
    :param known: the screens that ``GET /screens`` returns, by name.
    :param waiting: the list that ``GET /pairing`` returns.
    """
    owned = set()
    for grant in grants:
        name, wall = grant["name"], grant["wall"]
        if grant["kind"] == "screen":
            owned.add(name)
            yield name, wall, _state(known.get(name), grant["seen"])
        elif grant["kind"] == "link":
            yield name, wall, f"link {grant['id']} until {_day(grant['until'])}"
    for name, screen in known.items():
        if name not in owned:
            yield name, screen["wall"], f"{_state(screen, screen['seen'])}, without a grant"
    for each in waiting:
        # Another node knows the code that the screen shows.
        yield each["code"] or "?", "-", f"waits at {each['address']}"


def _state(screen: Mapping[str, Any] | None, seen: float) -> str:
    if screen is None:
        return f"last seen {_day(seen)}"
    if not screen["connected"]:
        return f"last seen {_day(max(seen, screen['seen']))}"
    shows = f" shows {screen['wall']}" if screen["wall"] else ""
    return f"connected from {screen['address']}{shows}"


def _day(time: float) -> str:
    """Return a time to the minute, which is enough to find old grants."""
    return iso_time(time)[:16].replace("T", " ")


def table(found: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a table, whose columns are as wide as their longest cell."""
    all = list(found)
    widths = [max((len(row[column]) for row in all), default=0) for column in range(2)]
    for name, wall, state in all:
        yield f"{name:<{widths[0]}}  {wall:<{widths[1]}}  {state}"
