"""The tables ``[[screens]]``: which walls a screen shows in turn, and when it is dimmed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Annotated, Any

import msgspec

from streamd.core.duration import Duration
from streamd.core.parsed_text import ParsedText
from streamd.core.update import Name

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_MAX_TURNS = 32
"""The most turns of one screen: with more, it would show a wall less than every 15 minutes."""


class Hours(ParsedText):
    """A part of every day, written ``"08:00-18:00"``; it may go over midnight.

    :ivar begin: its beginning, in minutes from midnight.
    :ivar end: its end, in minutes from midnight; on the next day if it is not later than the
        beginning.
    """

    def __init__(self, begin: int, end: int) -> None:
        self.begin, self.end = begin, end

    @classmethod
    def parse(cls, written: Any) -> Hours:
        match = _HOURS.fullmatch(written) if isinstance(written, str) else None
        if not match:
            raise ValueError('expected hours such as "08:00-18:00"')
        begin, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        if begin >= 1440 or end > 1440:
            raise ValueError("expected times from 00:00 to 24:00")
        if begin == end:
            raise ValueError('expected two different times; the whole day is "00:00-24:00"')
        return cls(begin, end)


_HOURS = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])")


class Weekdays(ParsedText):
    """Days of the week, written ``"mon-fri"`` or ``["sat", "sun"]``.

    :ivar numbers: the days in ascending order; Monday is 0.
    """

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self.numbers = numbers

    @classmethod
    def parse(cls, written: Any) -> Weekdays:
        found: set[int] = set()
        for part in written if isinstance(written, list) and written else [written]:
            match = _DAYS.fullmatch(part) if isinstance(part, str) else None
            if not match:
                raise ValueError('expected days such as "mon-fri" or ["mon", "wed"]')
            first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
            found.update((first + each) % 7 for each in range((last - first) % 7 + 1))
        return cls(tuple(sorted(found)))


_DAY = "|".join(DAYS)
_DAYS = re.compile(f"({_DAY})(?:-({_DAY}))?")


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A member of ``walls``: a wall, for how long it is shown, and when.

    :ivar shown: the key ``for``: the least seconds for which the wall is shown.
    :ivar hours: the part of the day in which it is shown; None for all day.
    :ivar days: the days on which the wall is shown; with ``hours``, the days on which the hours
        begin. None for all days.
    """

    wall: Name
    shown: Duration = msgspec.field(name="for", default=Duration(30))
    hours: Hours | None = None
    days: Weekdays | None = None


class Dim(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The key ``dim``: when a screen is dimmed, and to which part of its brightness."""

    hours: Hours
    to: Annotated[float, msgspec.Meta(ge=0.1, le=1)]


class ScreenTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table ``[[screens]]``.

    :ivar name: the name that the screen has in its address, ``?screen=NAME``.
    :ivar walls: the walls that take turns; if empty, the screen shows the wall in its address.
    """

    name: Name
    walls: Annotated[tuple[Turn, ...], msgspec.Meta(min_length=1, max_length=_MAX_TURNS)] | None = (
        None
    )
    dim: Dim | None = None

    def walls_in_turn(self) -> frozenset[str]:
        """Return the names of the walls that take turns."""
        return frozenset(turn.wall for turn in self.walls or ())

    def problems(self, walls: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield the key path and an error text for each turn whose wall does not exist.

        :param walls: the names of all walls.
        """
        for number, turn in enumerate(self.walls or ()):
            if turn.wall not in walls:
                known = ", ".join(walls)
                yield f"walls[{number}].wall", f"there is no wall {turn.wall}; there are {known}"

    def public(self, timezone: str | None = None) -> dict[str, Any]:
        """Return the members of ``GET /screens/NAME``, which the page reads.

        :param timezone: the zone of all hours; None for the browser's.
        """
        told: dict[str, Any] = {"name": self.name, "walls": list(map(_turn, self.walls or ()))}
        if self.dim is not None:
            told["dim"] = {"hours": _hours(self.dim.hours), "to": self.dim.to}
        return told | ({"timezone": str(timezone)} if timezone else {})


def _turn(turn: Turn) -> dict[str, Any]:
    told: dict[str, Any] = {"wall": turn.wall, "for": float(turn.shown)}
    if turn.hours is not None:
        told["hours"] = _hours(turn.hours)
    if turn.days is not None:
        told["days"] = turn.days.numbers
    return told


def _hours(hours: Hours) -> tuple[int, int]:
    return hours.begin, hours.end
