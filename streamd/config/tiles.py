"""The tables ``[[walls.tiles]]``: a structure for each kind of tile, with the options of that kind.

``show`` is the tag that chooses the structure.  A kind that is not in :data:`_WITH_OPTIONS` has only
the options of :class:`Tile`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

import msgspec

from streamd.core.description import KINDS_OF_TILE, Description
from streamd.core.duration import Duration
from streamd.core.presentation import Currency, DateOrTime, Days, Decimals, ValueFormat
from streamd.core.selection import Pattern

AUTO = "auto"
"""The ``show`` of a tile whose kind its stream or its value chooses."""

_MAX_STREAMS = 60
"""The most patterns of one tile: the kind for the most streams, ``switches``, shows 60."""

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
"""The name of a member of an object."""

Scalar = str | int | float | bool

_OF_DESCRIPTIONS = frozenset(("format", "currency", "decimals", "compare", "goal", "begin", "by"))
"""The fields that descriptions have, too."""


class Tile(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="show",
    tag=AUTO,
):
    """A table ``[[walls.tiles]]``: a tile for each match of ``stream``, or one for all ``streams``.

    :ivar size: the area of the tile in the grid of the page; by default the kind chooses.
    :ivar group: the title of one of the wall's groups.
    """

    stream: Pattern | None = None
    streams: (
        Annotated[tuple[Pattern, ...], msgspec.Meta(min_length=1, max_length=_MAX_STREAMS)] | None
    ) = None
    title: str | None = None
    size: Literal["s", "m", "l", "wide", "hero"] | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        if (self.stream is None) == (self.streams is None):
            raise ValueError("expected either stream or streams")

    @property
    def kind(self) -> str:
        """The name of the kind, or :data:`AUTO`."""
        return kind_of(type(self))

    @property
    def patterns(self) -> tuple[str, ...]:
        """The names and globs of the streams that the tile shows."""
        return self.streams or (self.stream or "",)

    def contradictions(self, description: Description) -> Iterator[tuple[str, str]]:
        """Yield the key and an error text for each option that does not fit one of the streams.

        An option that the tile and the description both have counts as in the tile.
        """
        fields = {field.name: field.encode_name for field in msgspec.structs.fields(type(self))}
        own = {
            name: value
            for name in fields.keys() & _OF_DESCRIPTIONS
            if (value := getattr(self, name)) is not None
        }
        keys = {fields[name] for name in own}
        known = set(description.contradictions())
        for key, message in msgspec.structs.replace(description, **own).contradictions():
            if (key, message) not in known:
                yield (key if key in keys else min(keys)), message


class _PresentedTile(Tile, frozen=True):
    """A tile of values in large type: ``[streams.NAME]`` has the same options, which count for less."""

    format: ValueFormat | None = None
    currency: Currency | None = None
    decimals: Decimals | None = None


class ValueTile(_PresentedTile, frozen=True, tag="value"):
    """A number with its history, or a text.

    :ivar compare: how many calendar days old the number is with which the tile compares.
    """

    window: Duration | None = None
    compare: Days | None = None


class ChartTile(_PresentedTile, frozen=True, tag="chart"):
    """A chart of numbers over time.

    :ivar window: seconds up to now that the chart shows.
    """

    window: Duration | None = None
    compare: Days | None = None
    scale: Literal["linear", "log"] | None = None


class QuantilesTile(Tile, frozen=True, tag="quantiles"):
    """A chart of quantiles of one thing, such as p50, p95 and p99: one stream for each."""

    window: Duration | None = None
    scale: Literal["linear", "log"] | None = None


class BandTile(Tile, frozen=True, tag="band"):
    """The levels or words of streams over time, one row for each."""

    window: Duration | None = None


class ProgressTile(_PresentedTile, frozen=True, tag="progress"):
    """A number on its way to a goal."""

    goal: float | None = None
    begin: DateOrTime | None = msgspec.field(name="from", default=None)
    by: DateOrTime | None = None

    def contradictions(self, description: Description) -> Iterator[tuple[str, str]]:
        yield from super().contradictions(description)
        if self.goal is None and description.goal is None:
            yield "goal", "is missing, in the tile and in the stream's table"


class Column(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """A column of a table: a member of the rows' objects.

    :ivar of: the number at which a bar is full.
    """

    key: Key
    title: str | None = None
    unit: str | None = None
    show: Literal["text", "number", "bar", "time", "state"] | None = None
    of: float | None = None
    align: Literal["left", "right"] | None = None
    format: ValueFormat | None = None
    currency: Currency | None = None
    decimals: Decimals | None = None

    def __post_init__(self) -> None:
        if (self.format == "money") != (self.currency is not None):
            raise ValueError('format = "money" and currency, such as "EUR", need each other')
        if self.of is not None and self.show != "bar":
            raise ValueError('of needs show = "bar"')
        if self.of is not None and not 0 < self.of < float("inf"):
            raise ValueError("of: expected a number above 0")


class TableTile(Tile, frozen=True, tag="table"):
    """Objects as rows.

    :ivar flag: key -> the value that is an exception, which is written in full ink.
    :ivar now: the member with the times of a timetable, in which past rows are muted.
    """

    columns: Annotated[tuple[Column, ...], msgspec.Meta(min_length=1, max_length=24)] | None = None
    flag: dict[Key, Scalar] = {}
    now: Key | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        keys = [column.key for column in self.columns or ()]
        doubled = next((key for number, key in enumerate(keys) if key in keys[:number]), None)
        if doubled:
            raise ValueError(f"columns: the key {doubled} is there twice")
        if keys and self.now is not None and self.now not in keys:
            raise ValueError(f"now: expected the key of a column, one of {', '.join(keys)}")


class RankedTile(Tile, frozen=True, tag="ranked"):
    """Named numbers as bars.

    :ivar former: the member with each row's former number, which is a notch below its bar.
    :ivar compare: how many calendar days ago the former numbers were true; the tile names that day.
    """

    former: Key | None = None
    compare: Days | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compare is not None and self.former is None:
            raise ValueError("compare needs former, the key of the numbers of that day")

    def contradictions(self, description: Description) -> Iterator[tuple[str, str]]:
        """Yield nothing: the rows contain their former numbers, so no history is needed."""
        return iter(())


class HoursTile(Tile, frozen=True, tag="hours"):
    """A number by hours of the day, as a heat strip.

    :ivar rows: ``"day"`` gives each day a row.
    """

    rows: Literal["day"] | None = None


class LogTile(Tile, frozen=True, tag="log"):
    """The latest updates of a stream, newest first.

    :ivar text: the text of an update, with its members in braces: ``"{product} to {city}"``.
    """

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.text is not None and set("{}") & set(_PLACE.sub("", self.text)):
            raise ValueError('text: expected members in braces, as in "{product} to {city}"')


_PLACE = re.compile(r"\{[^{}]{1,128}\}")

_WITH_OPTIONS = (
    ValueTile,
    ChartTile,
    QuantilesTile,
    BandTile,
    ProgressTile,
    TableTile,
    RankedTile,
    HoursTile,
    LogTile,
)


def kind_of(structure: type[Tile]) -> str:
    """Return the ``show`` that chooses a structure."""
    return str(structure.__struct_config__.tag)


def _plain(kind: str) -> type[Any]:
    """Make the structure of a kind without options."""
    name = f"{kind.capitalize()}Tile"
    return msgspec.defstruct(
        name, [], bases=(Tile,), tag=kind, frozen=True, kw_only=True, forbid_unknown_fields=True
    )


_KNOWN = {kind_of(structure): structure for structure in _WITH_OPTIONS}

STRUCTURES = (Tile, *(_KNOWN.get(kind) or _plain(kind) for kind in KINDS_OF_TILE))
"""The structures of all tiles that can be configured: those of the kinds that the page has."""

if TYPE_CHECKING:
    AnyTile = Tile
else:
    AnyTile = Union[STRUCTURES]  # noqa: UP007


def with_kinds(wall: Any, streams: Mapping[str, Description]) -> Any:
    """Return a written table ``[[walls]]`` with the ``show`` that its tiles leave out.

    A tile that has options of a kind gets the ``show`` of its first stream, if that has one.  All
    others get :data:`AUTO`.  Parts of another form stay as they are.
    """
    if not isinstance(wall, dict) or not isinstance(wall.get("tiles"), list):
        return wall
    tiles = [
        {"show": _show_of_stream(tile, streams), **tile} if isinstance(tile, dict) else tile
        for tile in wall["tiles"]
    ]
    return {**wall, "tiles": tiles}


def _show_of_stream(tile: Mapping[str, Any], streams: Mapping[str, Description]) -> str:
    """Return the kind that a tile's first stream says, if the tile has more than common options."""
    several = tile.get("streams")
    first = several[0] if isinstance(several, list) and several else tile.get("stream")
    description = streams.get(first) if isinstance(first, str) else None
    own = tile.keys() - set(Tile.__struct_fields__)
    return description.show or AUTO if description is not None and own else AUTO
