"""The tables of ``streamd.toml`` as frozen structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec

from streamd.config.fields import Origin, Secret, Size, TrustedProxy
from streamd.config.kind import SourceTable
from streamd.core.description import Description, TileKind
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.quota import SHARE
from streamd.core.selection import Pattern, Selection
from streamd.core.update import Name
from streamd.wire.requests import PACE


class Tile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """A table ``[[walls.tiles]]``: a tile for each match of ``stream``, or one for all ``streams``."""

    stream: Pattern | None = None
    streams: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)] | None = None
    title: str | None = None
    show: TileKind | None = None

    def __post_init__(self) -> None:
        if (self.stream is None) == (self.streams is None):
            raise ValueError("expected either stream or streams")

    @property
    def patterns(self) -> tuple[str, ...]:
        """The names and globs of the streams that the tile shows."""
        return self.streams or (self.stream or "",)


class Wall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table ``[[walls]]``: the tiles of a wall; without ``streams`` and ``tiles`` it has all streams.

    :ivar rotate: seconds that each page is shown, if the tiles need more than one.
    """

    name: Name
    title: str | None = None
    theme: Annotated[str, msgspec.Meta(pattern="^(dark|light|auto)$")] = "dark"
    rotate: Duration = Duration(15)
    streams: Annotated[tuple[Pattern, ...], msgspec.Meta(min_length=1)] | None = None
    tiles: Annotated[tuple[Tile, ...], msgspec.Meta(min_length=1)] | None = None

    def __post_init__(self) -> None:
        if self.streams is not None and self.tiles is not None:
            raise ValueError("expected streams or tiles, not both")
        patterns = {pattern for tile in self._tiles() for pattern in tile.patterns}
        try:
            Selection(patterns)  # the page of this wall subscribes with them
        except Refused as refused:
            raise ValueError(refused.message) from None

    def _tiles(self) -> tuple[Tile, ...]:
        return self.tiles or tuple(Tile(stream=stream) for stream in self.streams or ("*",))

    def public(self) -> dict[str, Any]:
        """Return the members of ``GET /walls/NAME``, which the page reads."""
        return {
            "name": self.name,
            "title": self.title or self.name,
            "theme": self.theme,
            "rotate": float(self.rotate),
            "tiles": self._tiles(),
        }


FrameAncestor = Annotated[
    str, msgspec.Meta(pattern=r"^(https?://(\*\.)?[A-Za-z0-9.-]+(:([0-9]{1,5}|\*))?|https?:|\*)$")
]
"""An origin whose pages may show the wall in a frame, as a CSP source (CSP Level 3, section 2.3.1)."""


class ServerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[server]``: who may connect, and the bounds of the daemon.

    :ivar origins: other origins whose pages may read.
    :ivar publish_origins: other origins whose pages may also publish and command screens.
    """

    origins: tuple[Origin, ...] = ()
    publish_origins: tuple[Origin, ...] = ()
    hosts: tuple[str, ...] = ()
    frame_ancestors: tuple[FrameAncestor, ...] = ()
    trusted_proxies: tuple[TrustedProxy, ...] = ()
    pace: Duration = Duration(PACE)
    max_viewers: int = 10_000
    address_share: float = SHARE
    max_streams: int = 10_000
    max_state: Size = Size(256 * 2**20)
    forget: Duration = Duration(24 * 3600)


class AccessSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[access]``: the tokens of publishers and administrators.

    :ivar publish: tokens, or ``"loopback"`` if programs on this machine may publish without one.
    :ivar admin: tokens that allow commands to screens.
    """

    publish: tuple[Secret, ...] | str = ()
    admin: tuple[Secret, ...] = ()


class Config(NamedTuple):
    """A whole configuration.

    :ivar walls: the walls, with different names; the first one is the default.
    :ivar journal: the table ``[journal]``, or None for the default.
    :ivar order: the names of sources and streams: those of the table that the file begins with first.
    :ivar secrets: the environment variables in every ``{ env = "NAME" }`` of the file.
    :ivar file: whether there is a configuration file.  Without one, any program on this machine may
        publish.
    """

    server: ServerSettings = ServerSettings()
    access: AccessSettings = AccessSettings()
    sources: Mapping[str, SourceTable] = {}
    streams: Mapping[str, Description] = {}
    walls: Sequence[Wall] = ()
    journal: SourceTable | None = None
    secrets: frozenset[str] = frozenset()
    file: bool = False
    order: Sequence[str] = ()
