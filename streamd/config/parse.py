"""``streamd.toml`` -> frozen structures, every error with its key path.

:func:`parse` is pure.  Secrets are still references afterwards (``{ env = "NAME" }``): ``start``, which
may read files and the environment, resolves them with :meth:`Secret.reveal`.  Each kind of source
brings its own structure, which :func:`parse` is handed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from streamd.config.fields import ConfigError
from streamd.config.kind import Kind, SourceTable
from streamd.config.tables import AccessSettings, Config, ServerSettings, Wall
from streamd.core.description import Description
from streamd.core.errors import Refused
from streamd.core.limit import Limit
from streamd.core.update import check_name

T = TypeVar("T")


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
        server=reader.table("server", document.pop("server", {}), ServerSettings)
        or ServerSettings(),
        access=reader.table("access", document.pop("access", {}), AccessSettings)
        or AccessSettings(),
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
_CHOICE = re.compile(r"Expected `str` matching regex '\^\(([\w|-]+)\)(?:\$|\\+Z)'")


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
    if choice := _CHOICE.fullmatch(text):
        return path, f"expected one of {choice[1].replace('|', ', ')}"
    return path, text[:1].lower() + text[1:].replace("`", "")
