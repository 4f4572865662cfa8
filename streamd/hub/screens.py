"""The screens that report to this daemon, and the screens whose connections were lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from streamd.core.errors import Refused, shorten
from streamd.wire.requests import ScreenReport

MAX_SCREENS = 1000
KEEP = 7 * 24 * 3600.0
"""Seconds for which a lost screen is listed: a week, longer than a weekend with holidays."""


class Connection(Protocol):
    """The connection of a screen, as :class:`Screens` uses it."""

    def command(self, text: bytes) -> None:
        """Send a command to the screen, after what was sent before.

        :raises Refused: 503 if too many messages wait already.
        """


class Screen:
    """A screen: one name, and the connections that report under it.

    :ivar since: when its first connection came or its last one ended, in seconds since the epoch.
    :ivar seen: when it last reported, in seconds since the epoch.
    """

    def __init__(self, report: ScreenReport, now: float) -> None:
        self.report = report
        self.since = self.seen = now
        self.connections: set[Connection] = set()

    def public(self) -> dict[str, Any]:
        """Return the members of its entry in ``GET /screens``."""
        return {
            "wall": self.report.wall,
            "at": self.report.at,
            "delay": self.report.delay,
            "connected": bool(self.connections),
            "since": self.since,
            "seen": self.seen,
        }


class Screens:
    """All screens by name.  Times are in seconds since the epoch.

    :ivar others: the screens of other nodes: name -> entry in ``GET /screens``.
    :ivar pass_on: a function that passes a command to the other nodes.  It returns a Deferred, or None
        if there are no other nodes.
    """

    def __init__(self) -> None:
        self.others: Mapping[str, Mapping[str, Any]] = {}
        self.pass_on: Callable[[str, bytes], Any] = lambda name, text: None
        self._screens: dict[str, Screen] = {}
        self._lost: dict[str, None] = {}  # in the order in which they were lost
        self._names: dict[Connection, str] = {}

    def report(self, connection: Connection, report: ScreenReport, now: float) -> None:
        """Note a report.  If there are too many screens, the one that was lost first is removed."""
        if self._names.get(connection, report.name) != report.name:
            return  # one connection is one screen: with many names it could displace all others
        screen = self._screens.get(report.name)
        if screen is None:
            self._forget(now, room=1)
            if len(self._screens) >= MAX_SCREENS:
                return
            screen = self._screens[report.name] = Screen(report, now)
        if report.name in self._lost:
            del self._lost[report.name]
            screen.since = now
        screen.connections.add(connection)
        screen.report, screen.seen = report, now
        self._names[connection] = report.name

    def lost(self, connection: Connection, now: float) -> None:
        """Note the end of a connection; a connection that never reported is ignored."""
        name = self._names.pop(connection, None)
        if name is None:
            return
        screen = self._screens[name]
        screen.connections.discard(connection)
        if not screen.connections:
            screen.since = now
            self._lost[name] = None

    def here(self) -> dict[str, Mapping[str, Any]]:
        """Return the entries of this node's screens, by name."""
        return {name: screen.public() for name, screen in self._screens.items()}

    def listing(self, now: float) -> dict[str, Mapping[str, Any]]:
        """Return the entries of the screens of all nodes, by name."""
        self._forget(now)
        return dict(sorted(newest_of([self.here(), self.others]).items()))

    def command(self, name: str, text: bytes) -> Any:
        """Send a command to a screen, on all of its connections.

        :returns: a Deferred if another node also has to send it, else None.
        :raises Refused: 404 if the screen is not known, 409 if it is not connected, 503 if it lags.
        """
        mine, other = self._screens.get(name), self.others.get(name)
        if mine is None and other is None:
            raise Refused(404, "unknown-screen", f"there is no screen {shorten(name)}")
        elsewhere = other is not None and other["connected"]
        if not elsewhere and not (mine and mine.connections):
            raise Refused(409, "not-connected", f"the screen {shorten(name)} is not connected")
        self.obey(name, text)
        return self.pass_on(name, text) if elsewhere else None

    def obey(self, name: str, text: bytes) -> None:
        """Send a command to a screen, on all of its connections to this node.

        :raises Refused: 503 if one of them lags.
        """
        screen = self._screens.get(name)
        for connection in list(screen.connections) if screen else ():
            connection.command(text)

    def _forget(self, now: float, room: int = 0) -> None:
        """Forget screens that were lost long ago, and more of them until ``room`` new screens fit."""
        for name in list(self._lost):
            full = len(self._screens) + room > MAX_SCREENS
            if not full and now - self._screens[name].since <= KEEP:
                return
            del self._lost[name], self._screens[name]


def newest_of(nodes: Iterable[Mapping[str, Mapping[str, Any]]]) -> dict[str, Mapping[str, Any]]:
    """Return all entries by name; of two, the connected one, or else the one with the newer report."""
    found: dict[str, Mapping[str, Any]] = {}
    for entries in nodes:
        for name, entry in entries.items():
            if name not in found or _newness(entry) > _newness(found[name]):
                found[name] = entry
    return found


def _newness(entry: Mapping[str, Any]) -> tuple[bool, float]:
    return entry["connected"], entry["seen"]
