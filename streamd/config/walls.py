"""The tables ``[[walls]]`` and ``[[walls.groups]]``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from streamd.config.colour import Accent
from streamd.config.fields import Language, Timezone
from streamd.config.picture_file import PictureName
from streamd.config.tiles import AUTO, AnyTile, Tile
from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.presentation import Days
from streamd.core.selection import Pattern, Selection
from streamd.core.update import Name

_IN_TIME = ("chart", "quantiles", "band")
"""The kinds that can share an axis of time."""

_MAX_IN_TIME = 5
"""The most tiles on one axis of time: with more, none is high enough to be read."""


_MAX_CLOCKS = 8
"""The most world clocks: the header of the widest screen has room for no more."""


class Group(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """A table ``[[walls.groups]]``: tiles that stand together below a heading.

    :ivar share: ``"time"`` if all tiles of the group share one axis of time.
    :ivar window: seconds up to now that the charts share.
    :ivar events: the stream whose updates are marked in all tiles of the group.
    """

    title: Annotated[str, msgspec.Meta(min_length=1)]
    share: Literal["time"] | None = None
    window: Duration | None = None
    events: Name | None = None

    def __post_init__(self) -> None:
        if self.share is None and (self.window or self.events):
            raise ValueError('window and events need share = "time"')


class Wall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table ``[[walls]]``: the tiles of a wall; without ``streams`` and ``tiles`` it has all streams.

    :ivar rotate: seconds that each page is shown, if the tiles need more than one.
    :ivar language: the language of its texts, numbers and dates; None for the one of ``[server]``.
    :ivar timezone: the zone of its times; None for the one of ``[server]``.
    :ivar clocks: the zones of further clocks in the header.
    :ivar date: whether the header has the date.
    :ivar mark: an SVG file, whose shape stands in the header in one colour.
    :ivar accent: the colour of data, instead of the theme's.
    """

    name: Name
    title: str | None = None
    theme: Annotated[str, msgspec.Meta(pattern="^(dark|light|auto)$")] = "dark"
    rotate: Duration = Duration(15)
    language: Language | None = None
    timezone: Timezone | None = None
    streams: Annotated[tuple[Pattern, ...], msgspec.Meta(min_length=1)] | None = None
    tiles: Annotated[tuple[AnyTile, ...], msgspec.Meta(min_length=1)] | None = None
    groups: tuple[Group, ...] = ()
    clocks: Annotated[tuple[Timezone, ...], msgspec.Meta(max_length=_MAX_CLOCKS)] = ()
    date: bool = False
    mark: PictureName | None = None
    accent: Accent | None = None

    def __post_init__(self) -> None:
        if self.streams is not None and self.tiles is not None:
            raise ValueError("expected streams or tiles, not both")
        try:
            self.selection()  # the page of this wall subscribes with it
        except Refused as refused:
            raise ValueError(refused.message) from None

    def selection(self) -> Selection:
        """Return the streams that the wall shows.

        :raises Refused: if there are too many for one selection.
        """
        patterns = {pattern for tile in self._tiles() for pattern in tile.patterns}
        return Selection(patterns | {group.events for group in self.groups if group.events})

    def _tiles(self) -> tuple[Tile, ...]:
        return self.tiles or tuple(Tile(stream=stream) for stream in self.streams or ("*",))

    def problems(self, streams: Mapping[str, Description]) -> Iterator[tuple[str, str]]:
        """Yield the key path and an error text for each mistake that no structure finds.

        :param streams: the configured streams.
        """
        yield from self._problems_of_groups()
        try:
            _ = self.accent and self.accent.of(self.theme)
        except ValueError as error:
            yield "accent", str(error)
        for number, tile in enumerate(self.tiles or ()):
            path = f"tiles[{number}]"
            for key, message in dict.fromkeys(_contradictions(tile, streams)):
                yield (f"{path}.{key}", message)

    def _problems_of_groups(self) -> Iterator[tuple[str, str]]:
        tiles = self.tiles or ()
        titles = [group.title for group in self.groups]
        for number, group in enumerate(self.groups):
            if group.title in titles[:number]:
                yield f"groups[{number}].title", f"there is a group {group.title} already"
            members = sum(tile.group == group.title for tile in tiles)
            if not members:
                yield f"groups[{number}]", "no tile is in this group"
            if group.share and members > _MAX_IN_TIME:
                yield f"groups[{number}].share", f"at most {_MAX_IN_TIME} tiles share an axis"
        sharing = {group.title for group in self.groups if group.share}
        for number, tile in enumerate(tiles):
            if tile.group is not None and tile.group not in titles:
                known = ", ".join(titles) or "none"
                yield f"tiles[{number}].group", f"no such group in [[walls.groups]]; known: {known}"
            if tile.group in sharing:
                yield from _problems_in_time(f"tiles[{number}]", tile)

    def public(self, language: str | None = None, timezone: str | None = None) -> dict[str, Any]:
        """Return the members of ``GET /walls/NAME``, which the page reads.

        :param language: the language of a wall without its own.
        :param timezone: the time zone of a wall without its own.
        """
        told = {
            "language": self.language or language,
            "timezone": self.timezone or timezone,
            "clocks": self.clocks,
            "date": self.date,
            "accent": self.accent and self.accent.of(self.theme),
            "groups": self.groups,
        }
        return {
            "name": self.name,
            "title": self.title or self.name,
            "theme": self.theme,
            "rotate": float(self.rotate),
            "tiles": [_public(tile) for tile in self._tiles()],
            **{key: _as_json(value) for key, value in told.items() if value},
        }


def _problems_in_time(path: str, tile: Tile) -> Iterator[tuple[str, str]]:
    """Yield why a tile cannot be on an axis of time that it shares."""
    if tile.kind not in _IN_TIME:
        kinds = ", ".join(_IN_TIME)
        yield f"{path}.show", f"its group shares an axis of time: expected one of {kinds}"
    if getattr(tile, "window", None) is not None:
        yield f"{path}.window", "the window of its group counts; leave this one out"


def _contradictions(tile: Tile, streams: Mapping[str, Description]) -> Iterator[tuple[str, str]]:
    """Yield the keys of a tile that do not fit its streams, each with an error text."""
    selection = Selection(tile.patterns)
    named = dict.fromkeys(selection.names, Description()) | dict(streams)
    for name, description in named.items():
        if name in selection:
            for key, message in tile.contradictions(description):
                yield key, f"{name}: {message}"


def _public(tile: Tile) -> dict[str, Any]:
    """Return a tile as JSON values, without its ``show`` if it does not say one."""
    return {key: value for key, value in _as_json(tile).items() if (key, value) != ("show", AUTO)}


def _as_json(value: Any) -> Any:
    """Return a value as JSON values: durations in seconds, other values of own types as texts."""
    return msgspec.to_builtins(value, enc_hook=_written)


def _written(value: Any) -> Any:
    if isinstance(value, Days):
        return f"{value}d"
    return float(value) if isinstance(value, float) else getattr(value, "text", str(value))


EVERYTHING = Wall(name="all")
"""The wall if none is configured: all streams."""


def names_of_walls(walls: Sequence[Wall]) -> list[str]:
    """Return the names of all walls, in the order of the configuration."""
    return [wall.name for wall in walls or (EVERYTHING,)]
