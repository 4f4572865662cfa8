"""The screens that report to this daemon, and the screens whose connections were lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from streamd.core.errors import Refused, shorten
from streamd.core.record import read_record
from streamd.wire.requests import ScreenReport

MAX_SCREENS = 1000
KEEP = 7 * 24 * 3600.0
"""Seconds for which a lost screen is listed: a week, longer than a weekend with holidays."""

MAX_OTHERS = 4
"""The most further connections of one name that are listed; all are counted."""


class Client(Protocol):
    """The address of a client, which ``str`` writes."""

    @property
    def group(self) -> str:
        """The text under which the client is counted."""


class Connection(Protocol):
    """The connection of a screen, as :class:`Screens` uses it."""

    @property
    def client(self) -> Client:
        """The client that opened the connection."""

    def command(self, text: bytes) -> None:
        """Send a command to the screen, after all earlier messages.

        :raises Refused: 503 if too many messages wait already.
        """


class Told(NamedTuple):
    """The result of a command: counts of the screen's connections.

    :ivar sent: how many get the command.
    :ivar lagging: how many do not get it, because too many messages wait for them.
    :ivar passed_on: how many get it from other nodes within seconds.
    """

    sent: int
    lagging: int
    passed_on: int = 0


class Screen:
    """A screen: one name, and the connections that report under it.

    :ivar client: the client whose connection came first.
    :ivar since: when its first connection came or its last one ended, in seconds since the epoch.
    :ivar connections: the last report of each and its time, in the order in which they came.
    """

    def __init__(self, client: Client, report: ScreenReport, now: float) -> None:
        self.client = client
        self.since = now
        self.connections: dict[Connection, tuple[ScreenReport, float]] = {}
        self._last = report, now

    def report(self, connection: Connection, report: ScreenReport, now: float) -> None:
        """Note the report of a connection."""
        if not self.connections:
            self.client = connection.client
        self.connections[connection] = report, now

    def lose(self, connection: Connection) -> None:
        """Forget a connection; the next one takes its place."""
        self._last = self.connections.pop(connection)
        if self.connections:
            self.client = next(iter(self.connections)).client

    def public(self) -> dict[str, Any]:
        """Return its entry in ``GET /screens``: its first connection, and a list of the others."""
        report, seen = next(iter(self.connections.values()), self._last)
        entry: dict[str, Any] = {
            "wall": report.wall,
            "at": report.at,
            "delay": report.delay,
            "address": str(self.client),
            "connected": bool(self.connections),
            "connections": len(self.connections),
            "since": self.since,
            "seen": seen,
        }
        others = list(self.connections.items())[1 : 1 + MAX_OTHERS]
        if others:
            entry["others"] = [_brief(str(c.client), r.wall, at) for c, (r, at) in others]
        return entry


class Screens:
    """All screens by name.  Times are in seconds since the epoch.

    :ivar others: the screens of other nodes: name -> entry in ``GET /screens``.
    :ivar pass_on: a function that passes a command to the other nodes.  It returns a Deferred, or None
        if there are no other nodes.
    """

    def __init__(self) -> None:
        self.others: Mapping[str, Mapping[str, Any]] = {}
        self.pass_on: Callable[[str, bytes], Any] = lambda name, text: None
        self._screens: dict[str, Screen] = {}  # in the order in which they came
        self._lost: dict[str, None] = {}  # in the order in which they were lost
        self._names: dict[Connection, str] = {}

    @property
    def connected(self) -> int:
        """How many screens are connected to this daemon."""
        return len(self._screens) - len(self._lost)

    @property
    def missing(self) -> int:
        """How many screens this daemon lost within the last week that are not connected now."""
        return len(self._lost)

    def report(self, connection: Connection, report: ScreenReport, now: float) -> None:
        """Note a report.  If there are too many screens, a new one displaces another.

        Every reader may report under every name.
        """
        name, is_new = report.name, connection not in self._names
        if self._names.setdefault(connection, name) != name:
            return  # one connection is one screen: with many names it could displace all others
        screen = self._screens.get(name)
        if screen is None:
            self._forget(now)
            if len(self._screens) >= MAX_SCREENS:
                if not is_new:
                    return  # it was displaced; it comes back when there is room
                self._displace(connection.client.group)
            screen = self._screens[name] = Screen(connection.client, report, now)
        if name in self._lost:
            del self._lost[name]
            screen.since = now
        screen.report(connection, report, now)

    def name_of(self, connection: Connection) -> str:
        """Return the name under which a connection reported; empty if it never did."""
        return self._names.get(connection, "")

    def lost(self, connection: Connection, now: float) -> None:
        """Note the end of a connection; a connection that never reported is ignored."""
        name = self._names.pop(connection, "")
        screen = self._screens.get(name)
        if screen is None or connection not in screen.connections:
            return
        screen.lose(connection)
        if not screen.connections:
            screen.since = now
            self._lost[name] = None

    def here(self) -> dict[str, Mapping[str, Any]]:
        """Return the entries of this node's screens, by name."""
        return {name: screen.public() for name, screen in self._screens.items()}

    def listing(self, now: float) -> dict[str, Mapping[str, Any]]:
        """Return the entries of the screens of all nodes, by name."""
        self._forget(now)
        return dict(sorted(merged([self.here(), self.others]).items()))

    def command(self, name: str, text: bytes) -> Any:
        """Send a command to a screen, on all of its connections except those that lag.

        :returns: a :class:`Told`, or a Deferred of it if another node also has to send it.
        :raises Refused: 404 if the screen is not known, 409 if it is not connected, 503 if all of its
            connections lag.
        """
        mine, other = self._screens.get(name), self.others.get(name)
        if mine is None and other is None:
            raise Refused(404, "unknown-screen", f"there is no screen {shorten(name)}")
        elsewhere = _count(other) if other else 0
        if not elsewhere and not (mine and mine.connections):
            raise Refused(409, "not-connected", f"the screen {shorten(name)} is not connected")
        told = self.obey(name, text)._replace(passed_on=elsewhere)
        if elsewhere:
            return self.pass_on(name, text).addCallback(lambda _: told)
        if not told.sent:
            raise Refused(503, "screen-lags", "the screen has not yet taken earlier messages")
        return told

    def obey(self, name: str, text: bytes) -> Told:
        """Send a command to a screen, on all of its connections to this node."""
        screen = self._screens.get(name)
        sent = lagging = 0
        for connection in list(screen.connections) if screen else ():
            try:
                connection.command(text)
                sent += 1
            except Refused:
                lagging += 1
        return Told(sent, lagging)

    def _forget(self, now: float) -> None:
        """Forget screens that were lost long ago."""
        for name in list(self._lost):
            if now - self._screens[name].since <= KEEP:
                return
            del self._lost[name], self._screens[name]

    def _displace(self, newcomer: str) -> None:
        """Forget a screen of the client that has the most; so invented names displace each other.

        Of its screens, it is the one that was lost first, or else the one that came last.

        :param newcomer: the client of the screen that needs the room; it counts as one of its screens.
        """
        # Of two clients with equally many screens, it is the one with the newest screen.
        counts = Counter(screen.client.group for screen in reversed(self._screens.values()))
        if newcomer in counts:
            counts[newcomer] += 1
        group = max(counts, key=counts.__getitem__)
        names = [*self._lost, *reversed(self._screens)]
        name = next(name for name in names if self._screens[name].client.group == group)
        self._lost.pop(name, None)
        del self._screens[name]


class _Entry(msgspec.Struct):
    """An entry of another node, as far as this node reads it."""

    connected: bool
    wall: str | None
    since: float
    seen: float
    connections: int = 1
    address: str = ""
    others: list[dict[str, Any]] = []


def read_screens(record: bytes) -> dict[str, Mapping[str, Any]]:
    """Return the entries that another node wrote, by name; none if they are damaged."""
    if read_record(record, dict[str, _Entry]) is None:
        return {}
    entries: dict[str, Mapping[str, Any]] = msgspec.json.decode(record)
    return entries


def merged(nodes: Iterable[Mapping[str, Mapping[str, Any]]]) -> dict[str, Mapping[str, Any]]:
    """Return one entry for each name, joined from the entries of all nodes."""
    found: dict[str, Mapping[str, Any]] = {}
    for entries in nodes:
        for name, entry in entries.items():
            found[name] = _joined(found[name], entry) if name in found else entry
    return found


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """Join two entries of one name: the connected one counts, or the one connected for longer."""
    first, second = sorted((one, other), key=_rank)
    if not second["connected"]:
        return first
    beside = _brief(second.get("address", ""), second["wall"], second["seen"])
    others = [*first.get("others", ()), beside, *second.get("others", ())][:MAX_OTHERS]
    return {**first, "connections": _count(first) + _count(second), "others": others}


def _rank(entry: Mapping[str, Any]) -> tuple[bool, float]:
    return not entry["connected"], entry["since"] if entry["connected"] else -entry["seen"]


def _brief(address: str, wall: str, seen: float) -> dict[str, Any]:
    return {"wall": wall, "address": address, "seen": seen}


def _count(entry: Mapping[str, Any]) -> int:
    """Return how many connections an entry has; version 0.1.0 does not count them."""
    return int(entry.get("connections", entry["connected"]))
