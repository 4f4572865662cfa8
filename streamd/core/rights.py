"""Rights: which streams a client may read and publish, and whether it may administrate.  Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from streamd.core.errors import Refused, shorten
from streamd.core.selection import ALL_STREAMS, NO_STREAMS, Selection


class Rights(NamedTuple):
    """The rights of one client.

    Equal rights give equal selections, so viewers with equal rights share their messages.

    :ivar view: the streams that it may read.
    :ivar publish: the streams that it may publish and forget.
    :ivar admin: whether it may command screens and use the admin page.
    :ivar metrics: whether it may read the metrics of the daemon.
    :ivar walls: the only walls that it may read; None for all whose streams it may read.
    :ivar screen: the only name under which it may report as a screen; empty for any other name.
    """

    view: Selection = NO_STREAMS
    publish: Selection = NO_STREAMS
    admin: bool = False
    metrics: bool = False
    walls: frozenset[str] | None = None
    screen: str = ""

    @property
    def reads_all(self) -> bool:
        """Return whether it may read everything, which is more than one wall with all streams."""
        return self.view.all and self.walls is None

    def plus(self, other: Rights) -> Rights:
        """Return these rights, with the rights that are missing taken from ``other``.

        Two selections of streams are not combined: the one of these rights counts.  An administrator
        has all rights.
        """
        if self.admin or other.admin:
            return ALL_RIGHTS
        view, publish = self.view or other.view, self.publish or other.publish
        metrics = self.metrics or other.metrics
        return self._replace(view=view, publish=publish, metrics=metrics)

    def visible(self, selection: Selection) -> Selection:
        """Return the part of a selection that may be read: a glob loses the streams that may not.

        :raises Refused: 403 if the selection names a stream that may not be read.
        """
        if not self.view.all:
            for name in sorted(selection.names):
                self.check_view(name)
        return selection.within(self.view)

    def check_view(self, name: str) -> None:
        """Refuse a client that may not read a stream, whether or not the stream exists.

        :raises Refused: 403.
        """
        if name not in self.view:
            raise no_right(f"reading {shorten(name)}")

    def check_publish(self, *names: str) -> None:
        """Refuse a client that may not publish and forget each of these streams.

        :raises Refused: 403.
        """
        for name in () if self.publish.all else names:
            if name not in self.publish:
                raise no_right(f"publishing {shorten(name)}")

    def may_read_wall(self, name: str, streams: Selection) -> bool:
        """Return whether a wall may be read: each of its names, and at least one match of each glob.

        :param streams: the names and globs of the wall.
        """
        if self.walls is not None:
            return name in self.walls
        return bool(self.view) and all(map(self.view.may_share, streams.patterns))


def no_right(what: str) -> Refused:
    """Return the error for a client whose credentials are valid and do not allow something.

    :param what: the action, as the beginning of a sentence: "reading metrics".
    """
    return Refused(403, "no-right", f"{what} is not allowed with these credentials")


NO_RIGHTS = Rights()
ALL_RIGHTS = Rights(ALL_STREAMS, ALL_STREAMS, admin=True, metrics=True)
READER = Rights(ALL_STREAMS)
PUBLISHER = Rights(publish=ALL_STREAMS)


MAX_LISTED = 100
"""The most characters of the walls that an error lists: it has to fit in the band of a page."""


def no_wall(name: str, walls: Collection[str], status: int = 404) -> Refused:
    """Return the error for a wall that does not exist; it lists the walls, as many as have room."""
    shown = sorted(walls)
    while len(shown) > 1 and len(", ".join(shown)) > MAX_LISTED:
        shown.pop()
    more = f", and {len(walls) - len(shown)} more" if len(shown) < len(walls) else ""
    message = f"there is no wall {shorten(name)}; the walls are {', '.join(shown)}{more}"
    return Refused(status, "unknown-wall", message)
