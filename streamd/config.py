"""``streamd.toml`` -> frozen structures, every error with its key path.

:func:`parse` is pure.  Secrets are still references afterwards (``{ env = "NAME" }``): ``start``, which
may read files and the environment, resolves them with :meth:`Secret.reveal`.  Each kind of source
brings its own structure, which :func:`parse` is handed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec

from streamd import wire
from streamd.health import Limit
from streamd.update import Name, Pattern, Refused, Selection, check_name

T = TypeVar("T")


class ConfigError(Exception):
    """A configuration that cannot be used; ``problems`` has one line, with key path, for each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class Duration(float):
    """Seconds, written ``"500ms"``, ``"5s"``, ``"2m"``, ``"24h"``; more than none."""

    @classmethod
    def parse(cls, written: Any) -> Duration:
        """:raises ValueError: with what would be right."""
        if not isinstance(written, str):
            raise ValueError('expected a duration such as "5s" (a text, with its unit)')
        seconds = wire.parse_duration(written)
        if seconds <= 0:
            raise ValueError("expected more than no time")
        return cls(seconds)


class Size(int):
    """Bytes, written ``"64KiB"``, ``"256MiB"``, ``"1GiB"``."""

    _FORM = re.compile(r"([0-9]{1,9})\s*(B|KiB|MiB|GiB)")
    _UNITS = ("B", "KiB", "MiB", "GiB")

    @classmethod
    def parse(cls, written: Any) -> Size:
        """:raises ValueError: with what would be right."""
        match = cls._FORM.fullmatch(written) if isinstance(written, str) else None
        if not match:
            raise ValueError('expected a size such as "64KiB" or "256MiB"')
        return cls(int(match[1]) * 1024 ** cls._UNITS.index(match[2]))


class _Plain:
    """Equal when of one class with equal attributes.

    msgspec reads dataclasses, named tuples and its own structures by their fields; these have
    written forms of their own, so they are none of those.
    """

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))


class Secret(_Plain):
    """A secret, or where it is; its repr never shows it.

    Written ``"…"``, ``{ env = "NAME" }`` or ``{ file = "…" }``.
    """

    def __init__(
        self, text: str | None = None, env: str | None = None, file: str | None = None
    ) -> None:
        self.text, self.env, self.file = text, env, file

    @classmethod
    def parse(cls, written: Any) -> Secret:
        """:raises ValueError: with what would be right."""
        if isinstance(written, str) and written:
            return cls(text=written)
        if isinstance(written, dict) and len(written) == 1:
            ((key, value),) = written.items()
            if key in ("env", "file") and isinstance(value, str) and value:
                return cls(**{key: value})
        raise ValueError('expected a text, { env = "NAME" } or { file = "…" }')

    def reveal(self, environ: Mapping[str, str], read: Callable[[str], str]) -> str:
        """The secret itself.

        :param read: gives a file's text for its name as written.
        :raises ValueError: naming the variable or file that is missing or empty.
        """
        if self.env is not None:
            found, place = environ.get(self.env, ""), f"the environment variable {self.env}"
        elif self.file is not None:
            try:
                found, place = read(self.file), self.file
            except (OSError, UnicodeError) as error:
                raise ValueError(f"cannot read {self.file}: {error}") from None
        else:
            found, place = self.text or "", "it"
        if not found.strip():
            raise ValueError(f"{place} is empty or not set")
        return found.strip()

    def __repr__(self) -> str:
        return f"Secret({self.env or self.file or '…'})"


class Keep(_Plain):
    """How much history a stream keeps: so many updates, or those of so many seconds."""

    MAX_UPDATES = 1_000_000

    def __init__(self, updates: int | None = 100, seconds: float | None = None) -> None:
        self.updates, self.seconds = updates, seconds

    @classmethod
    def parse(cls, written: Any) -> Keep:
        """:raises ValueError: with what would be right."""
        if isinstance(written, int) and not isinstance(written, bool):
            if not 1 <= written <= cls.MAX_UPDATES:
                raise ValueError(f"expected 1 to {cls.MAX_UPDATES} updates")
            return cls(written)
        if isinstance(written, str):
            return cls(None, Duration.parse(written))
        raise ValueError('expected a number of updates, or a duration such as "24h"')


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One ``[streams.NAME]``: what a stream is, apart from what it says.

    :ivar expect: a proof is expected this often; without one for longer the stream is late.
    """

    title: str | None = None
    unit: str | None = None
    show: str | None = None
    keep: Keep = Keep()
    expect: Duration | None = None
    warn: Limit | None = None
    critical: Limit | None = None

    def public(self) -> dict[str, Any]:
        """What viewers are told of it."""
        told: dict[str, Any] = {
            "title": self.title,
            "unit": self.unit,
            "show": self.show,
            "expect": self.expect and float(self.expect),
            "warn": self.warn and self.warn.text,
            "critical": self.critical and self.critical.text,
        }
        keep = self.keep.updates if self.keep.updates is not None else f"{self.keep.seconds:g}s"
        return {"keep": keep} | {key: value for key, value in told.items() if value is not None}


class Tile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """One ``[[walls.tiles]]``: a tile for each that ``stream`` selects, or one for all ``streams``."""

    stream: Pattern | None = None
    streams: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)] | None = None
    title: str | None = None
    show: Annotated[str, msgspec.Meta(pattern="^(value|status|chart|list)$")] | None = None

    def __post_init__(self) -> None:
        if (self.stream is None) == (self.streams is None):
            raise ValueError("expected either stream or streams")

    @property
    def patterns(self) -> tuple[str, ...]:
        """What it shows."""
        return self.streams or (self.stream or "",)


class Wall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One ``[[walls]]``: what a screen shows; without ``streams`` and ``tiles``, all.

    :ivar rotate: seconds a page, when the tiles do not fit one.
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
        if len(patterns) > Selection.MAX_PATTERNS:
            raise ValueError(f"expected at most {Selection.MAX_PATTERNS} different names and globs")

    def _tiles(self) -> tuple[Tile, ...]:
        return self.tiles or tuple(Tile(stream=stream) for stream in self.streams or ("*",))

    def public(self) -> dict[str, Any]:
        """What a page is told of it."""
        return {
            "name": self.name,
            "title": self.title or self.name,
            "theme": self.theme,
            "rotate": float(self.rotate),
            "tiles": self._tiles(),
        }


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[server]``."""

    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    pace: Duration = Duration(wire.PACE)
    max_viewers: int = 10_000
    max_streams: int = 10_000
    max_state: Size = Size(256 * 2**20)
    forget: Duration = Duration(24 * 3600)


class Access(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[access]``: ``publish`` is a list of secrets, or ``"loopback"``; ``admin`` commands screens."""

    publish: tuple[Secret, ...] | str = ()
    admin: tuple[Secret, ...] = ()


class Kind(NamedTuple):
    """A kind of source or journal: what a module in ``sources`` or ``journals`` offers as ``KIND``.

    :ivar name: written ``kind = "…"``.
    :ivar told_by: keys, and schemes of a ``url``, that tell the kind when ``kind`` is left out.
    :ivar settings: the structure of its table.
    :ivar make: of a table's name, settings and surroundings its source (see ``source.py``), which does
        nothing yet.  Drivers are imported here, not with the module.  Raises :class:`ConfigError` with
        a line ``sources.NAME.KEY: …``, such as for a driver that is missing.
    """

    name: str
    told_by: frozenset[str]
    settings: type[Any]
    make: Callable[[str, Any, Any], Any]


class SourceTable(NamedTuple):
    """One ``[sources.NAME]``, or ``[journal]``; its kind is one that :func:`parse` was handed."""

    kind: Kind
    settings: Any


class Config(NamedTuple):
    """A whole configuration.

    :ivar walls: each of another name; the first is what a screen shows that asks for none.
    :ivar journal: where the log is kept, if that is said.
    :ivar file: whether it came from a file; without one the demo's rules apply.
    """

    server: Server = Server()
    access: Access = Access()
    sources: Mapping[str, SourceTable] = {}
    streams: Mapping[str, Description] = {}
    walls: Sequence[Wall] = ()
    journal: SourceTable | None = None
    file: bool = False


def parse(text: str, kinds: Iterable[Kind], journals: Iterable[Kind] = ()) -> Config:
    """Read ``streamd.toml``.

    :param kinds: of sources.
    :raises ConfigError: with every problem found, each with its key path.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"not TOML: {error}"]) from None
    reader = _Reader({kind.name: kind for kind in kinds})
    journal = document.pop("journal", None)
    config = Config(
        server=reader.table("server", document.pop("server", {}), Server) or Server(),
        access=reader.table("access", document.pop("access", {}), Access) or Access(),
        sources=dict(reader.sources(document.pop("sources", {}))),
        streams=dict(reader.streams("streams", document.pop("streams", {}))),
        walls=tuple(reader.walls(document.pop("walls", []))),
        journal=None if journal is None else reader.journal(journal, journals),
        file=True,
    )
    reader.check(config)
    for key in document:
        reader.problem(
            key, "unknown; there are server, access, sources, streams, walls and journal"
        )
    if reader.problems:
        raise ConfigError(reader.problems)
    return config


class _Reader:
    """Reads table by table, so that a mistake in one does not hide those in others."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds
        self.problems: list[str] = []

    def problem(self, path: str, message: str) -> None:
        self.problems.append(f"{path}: {message}")

    def table(self, path: str, table: Any, type: type[T]) -> T | None:
        try:
            return msgspec.convert(table, type, dec_hook=_read_own_type)
        except msgspec.ValidationError as error:
            self.problem(*_place(path, str(error), type))
            return None

    def sources(self, tables: Any) -> Iterable[tuple[str, SourceTable]]:
        for name, table in self._named("sources", tables):
            path = f"sources.{name}"
            made = self._of_a_kind(path, table, self._kinds)
            if self._is_name(path, name) and made is not None:
                yield name, made

    def journal(self, table: Any, kinds: Iterable[Kind]) -> SourceTable | None:
        if isinstance(table, dict):
            return self._of_a_kind("journal", table, {kind.name: kind for kind in kinds})
        self.problem("journal", "expected a table, [journal]")
        return None

    def _of_a_kind(
        self, path: str, table: dict[str, Any], kinds: Mapping[str, Kind]
    ) -> SourceTable | None:
        kind = self._kind(path, table, kinds)
        if kind is None:
            return None
        own = {key: value for key, value in table.items() if key != "kind"}
        settings = self.table(path, own, kind.settings)
        return None if settings is None else SourceTable(kind, settings)

    def streams(self, path: str, tables: Any) -> Iterable[tuple[str, Description]]:
        """A table inside a stream is a longer name: ``[streams.shop.revenue]``."""
        for name, table in self._named(path, tables):
            inner = {key: value for key, value in table.items() if isinstance(value, dict)}
            own = {key: value for key, value in table.items() if key not in inner}
            here = f"{path}.{name}"
            stream = here.removeprefix("streams.")
            if own or not inner:
                description = self.table(here, own, Description)
                if description is not None and self._is_name(here, stream):
                    yield stream, description
            if inner:
                yield from self.streams(here, inner)

    def walls(self, tables: Any) -> Iterable[Wall]:
        if not isinstance(tables, list):
            self.problem("walls", "expected tables, [[walls]]")
            return
        names = set()
        for number, table in enumerate(tables):
            wall = self.table(f"walls[{number}]", table, Wall)
            if wall is None:
                continue
            if wall.name in names:
                self.problem(f"walls[{number}].name", f"there is a wall {wall.name} already")
            names.add(wall.name)
            yield wall

    def check(self, config: Config) -> None:
        """What no single table's structure can say."""
        if isinstance(config.access.publish, str) and config.access.publish != "loopback":
            self.problem("access.publish", 'expected "loopback" or a list of secrets')
        for key in ("max_viewers", "max_streams"):
            if getattr(config.server, key) < 1:
                self.problem(f"server.{key}", "expected at least 1")

    def _named(self, path: str, tables: Any) -> Iterable[tuple[str, dict[str, Any]]]:
        if not isinstance(tables, dict):
            self.problem(path, "expected tables")
            return
        for name, table in tables.items():
            if isinstance(table, dict):
                yield name, table
            else:
                self.problem(f"{path}.{name}", f"expected a table, [{path}.{name}]")

    def _is_name(self, path: str, name: str) -> bool:
        try:
            check_name(name)
        except Refused as refused:
            self.problem(path, refused.message)
            return False
        return True

    def _kind(self, path: str, table: dict[str, Any], kinds: Mapping[str, Kind]) -> Kind | None:
        written = table.get("kind")
        if written is not None:
            kind = kinds.get(written) if isinstance(written, str) else None
            if kind is None:
                self.problem(f"{path}.kind", f"unknown; there are {', '.join(sorted(kinds))}")
            return kind
        hints = set(table)
        if isinstance(table.get("url"), str):
            hints.add(table["url"].partition(":")[0] + ":")
        found = [kind for kind in kinds.values() if kind.told_by & hints]
        if found:  # the first: kinds are asked in the order in which they were given
            return found[0]
        self.problem(path, f"say which kind: one of {', '.join(sorted(kinds))}")
        return None


def _read_own_type(type: Any, written: Any) -> Any:
    if type is Limit:
        if not isinstance(written, str):
            raise ValueError('expected a comparison such as "> 80"')
        return Limit(written)
    return type.parse(written)


_AT = re.compile(r"(?s)(.*?)(?: - at `\$\.?(.*)`)?")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")


def _place(path: str, message: str, type: type[Any]) -> tuple[str, str]:
    """msgspec's message, said in our words: ("sources.shop.every", "expected …")."""
    match = _AT.fullmatch(message)
    assert match is not None  # the pattern matches any text
    text, key = match[1], match[2]
    path = f"{path}.{key}" if key else path
    if unknown := _UNKNOWN.fullmatch(text):
        known = ", ".join(sorted(type.__struct_encode_fields__)) if not key else ""
        return f"{path}.{unknown[1]}", "unknown key" + (f"; there are {known}" if known else "")
    if missing := _MISSING.fullmatch(text):
        return f"{path}.{missing[1]}", "is missing"
    return path, text[:1].lower() + text[1:].replace("`", "")
