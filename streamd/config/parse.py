"""Parses ``streamd.toml`` into frozen structures, and finds every mistake with its key path.  Pure.

Secrets stay references (``{ env = "NAME" }``).  :mod:`streamd.app.load` may read files and the
environment, and resolves them with :meth:`Secret.reveal`.  Each kind of source has its own structure.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from streamd.config.alerts import MAX_ALERTS, AlertTable
from streamd.config.faults import closest, convert, faults, suggestion
from streamd.config.fields import ConfigError, Problems, secret_variables
from streamd.config.hooks import MAX_HOOKS, HookTable
from streamd.config.kind import Kind, SourceTable
from streamd.config.lines import syntax_fault
from streamd.config.picture_file import PictureName
from streamd.config.screens import ScreenTable
from streamd.config.tables import (
    AccessSettings,
    Config,
    InfluxSettings,
    LogSettings,
    ServerSettings,
)
from streamd.config.tiles import with_kinds
from streamd.config.walls import Wall, names_of_walls
from streamd.core.description import Description
from streamd.core.errors import Refused
from streamd.core.formulas.formula import Circle, Formula, in_order
from streamd.core.update import check_name

T = TypeVar("T")
N = TypeVar("N", Wall, ScreenTable)
Own = TypeVar("Own", AlertTable, HookTable)

MAX_COUNT = 1_000_000
"""The most viewers or streams that can be configured: no daemon can serve more of them."""

TABLES = (
    "server",
    "access",
    "log",
    "sources",
    "streams",
    "walls",
    "screens",
    "alerts",
    "hooks",
    "influx",
    "journal",
)


def parse(text: str, kinds: Iterable[Kind], journals: Iterable[Kind] = ()) -> Config:
    """Parse the text of ``streamd.toml``.

    :param kinds: the kinds of sources; the first one whose keys a table has is chosen.
    :param journals: the kinds of journals.
    :raises ConfigError: lists every mistake.
    """
    config, problems = read(text, kinds, journals)
    problems.check()
    return config


def read(
    text: str, kinds: Iterable[Kind], journals: Iterable[Kind] = ()
) -> tuple[Config, Problems]:
    """Parse the text of ``streamd.toml``; return the valid tables, and the problems of the others.

    :raises ConfigError: if the text is not TOML.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([syntax_fault(str(error))]) from None
    except ValueError:  # Python converts no more than 4300 digits
        raise ConfigError(["a number has more digits than can be read"]) from None
    except RecursionError:
        raise ConfigError(["arrays or tables are nested too deeply"]) from None
    reader = _Reader({kind.name: kind for kind in kinds})
    journal = document.get("journal")
    config = Config(
        server=reader.table("server", document.get("server", {}), ServerSettings)
        or ServerSettings(),
        access=reader.table("access", document.get("access", {}), AccessSettings)
        or AccessSettings(),
        log=reader.table("log", document.get("log", {}), LogSettings) or LogSettings(),
        sources=dict(reader.sources(document.get("sources", {}))),
        streams=(streams := dict(reader.streams("streams", document.get("streams", {})))),
        walls=tuple(reader.walls(document.get("walls", []), streams)),
        screens=tuple(reader.screens(document.get("screens", []))),
        alerts=dict(reader.own("alerts", document.get("alerts", {}), AlertTable)),
        hooks=dict(reader.own("hooks", document.get("hooks", {}), HookTable)),
        influx=reader.table("influx", document.get("influx", {}), InfluxSettings)
        or InfluxSettings(),
        journal=None if journal is None else reader.journal(journal, journals),
        secrets=frozenset(secret_variables(document)),
        file=True,
    )
    config = config._replace(order=_order(document, config))
    reader.check(config)
    for key in document:
        if key not in TABLES:
            reader.problem(key, f"unknown; {suggestion(key, TABLES)}")
    return config, reader.problems


def pictures_of(config: Config) -> Mapping[str, PictureName]:
    """Return the picture files of the sources that have one, by the names of the sources."""
    files = {name: getattr(own.settings, "image", None) for name, own in config.sources.items()}
    return {name: file for name, file in files.items() if isinstance(file, PictureName)}


def formulas_of(config: Config) -> Mapping[str, Formula]:
    """Return the formulas of the sources that have one, by the names of the sources."""
    settings = {name: table.settings for name, table in config.sources.items()}
    return {name: own.formula for name, own in settings.items() if hasattr(own, "formula")}


def _order(document: Mapping[str, Any], config: Config) -> Sequence[str]:
    """Return the names of sources and streams in the order of the file, as far as TOML keeps it."""
    named: Mapping[str, Iterable[str]] = {"sources": config.sources, "streams": config.streams}
    return tuple(name for key in document for name in named.get(key, ()))


class _Reader:
    """Reads the configuration table by table, so that the mistakes of all tables are found."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds
        self.problems = Problems()

    def problem(self, path: str, message: str) -> None:
        self.problems.append(f"{path}: {message}")

    def table(self, path: str, table: Any, type: type[T]) -> T | None:
        try:
            return convert(table, type)
        except msgspec.ValidationError:
            self.problems.extend(faults(path, table, type))
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
        """Yield the streams; a table within a table has a longer name: ``[streams.shop.revenue]``."""
        for name, table in self._named(path, tables):
            here = f"{path}.{name}"
            inner = {key: value for key, value in table.items() if isinstance(value, dict)}
            if "words" in inner and self._are_words(here, inner["words"]):
                del inner["words"]
            own = {key: value for key, value in table.items() if key not in inner}
            stream = here.removeprefix("streams.")
            if own or not inner:
                description = self._description(here, own)
                if description is not None and self._is_name(here, stream):
                    yield stream, description
            if inner:
                yield from self.streams(here, inner)

    def _are_words(self, path: str, table: dict[str, Any]) -> bool:
        """Return whether a table ``words`` is a key of the stream, not a stream of that name.

        A table that could be either is reported: its meaning must not depend on a guess.
        """
        if any(isinstance(value, dict) for value in table.values()):
            return False
        if list(faults(path, table, Description)):
            return True
        name = f"{path.removeprefix('streams.')}.words"
        self.problem(f"{path}.words", f'if this is a stream, write [streams."{name}"]')
        return False

    def _description(self, path: str, table: dict[str, Any]) -> Description | None:
        description = self.table(path, table, Description)
        if description is not None:
            for key, message in description.contradictions():
                self.problem(f"{path}.{key}", message)
        return description

    def walls(self, tables: Any, streams: Mapping[str, Description]) -> Iterable[Wall]:
        if not isinstance(tables, list):
            self.problem("walls", "expected tables, [[walls]]")
            return
        written = [with_kinds(table, streams) for table in tables]
        for path, wall in self._different("walls", written, Wall):
            for key, message in wall.problems(streams):
                self.problem(f"{path}.{key}", message)
            yield wall

    def screens(self, tables: Any) -> Iterable[ScreenTable]:
        if not isinstance(tables, list):
            self.problem("screens", "expected tables, [[screens]]")
            return
        yield from (screen for _, screen in self._different("screens", tables, ScreenTable))

    def own(self, section: str, tables: Any, type: type[Own]) -> Iterable[tuple[str, Own]]:
        """Yield the alerts or the hooks; a section ``alerts`` has the tables ``[alerts.NAME]``."""
        for name, table in self._named(section, tables):
            path = f"{section}.{name}"
            made = self.table(path, table, type)
            if self._is_name(path, path) and made is not None:
                for key, message in made.problems(name):
                    self.problem(f"{path}.{key}", message)
                yield name, made

    def _different(self, key: str, tables: list[Any], type: type[N]) -> Iterable[tuple[str, N]]:
        """Yield the path and the structure of each table of an array; report equal names."""
        names = set()
        for number, table in enumerate(tables):
            path = f"{key}[{number}]"
            made = self.table(path, table, type)
            if made is None:
                continue
            if made.name in names:
                self.problem(f"{path}.name", f"there is a {key[:-1]} {made.name} already")
            names.add(made.name)
            yield path, made

    def check(self, config: Config) -> None:
        """Check the rules that a structure cannot express."""
        if isinstance(config.access.publish, str) and config.access.publish != "loopback":
            self.problem("access.publish", 'expected "loopback" or a list of secrets')
        if config.access.identity is not None and not config.server.trusted_proxies:
            message = "it counts only from [server] trusted_proxies, and there are none"
            self.problem("access.identity", message)
        if "null" in config.server.publish_origins:
            self.problem("server.publish_origins", 'any site can send the origin "null"')
        for key in ("max_viewers", "max_streams"):
            if not 1 <= getattr(config.server, key) <= MAX_COUNT:
                self.problem(f"server.{key}", f"expected 1 to {MAX_COUNT}")
        if not 0 < config.server.address_share <= 1:
            self.problem("server.address_share", "expected more than 0 and at most 1, such as 0.8")

        for number, screen in enumerate(config.screens):
            for key, message in screen.problems(names_of_walls(config.walls)):
                self.problem(f"screens[{number}].{key}", message)
        self._check_formulas(config)
        self._check_backfills(config)
        self._check_alerts(config)

    def _check_alerts(self, config: Config) -> None:
        for key, most in (("alerts", MAX_ALERTS), ("hooks", MAX_HOOKS)):
            if len(getattr(config, key)) > most:
                self.problem(key, f"expected at most {most} tables")
        for name in config.sources if config.alerts else ():
            if name == "alerts" or name.startswith("alerts."):
                self.problem(
                    f"sources.{name}", "expected another name: [alerts.NAME] has such streams"
                )

    def _check_backfills(self, config: Config) -> None:
        rollups = [name for name, stream in config.streams.items() if stream.rollup is not None]
        for name, table in config.sources.items():
            if getattr(table.settings, "backfill", None) is None:
                continue
            alone = getattr(table.settings, "one_stream", False)
            if name in rollups if alone else any(each.startswith(f"{name}.") for each in rollups):
                continue
            self.problem(
                f"sources.{name}.backfill",
                "it fills streams with rollup, and no stream of this source has one, "
                f'such as [streams.{name if alone else f"{name}.NAME"}] rollup = "400d"',
            )

    def _check_formulas(self, config: Config) -> None:
        try:
            in_order(formulas_of(config))
        except Circle as circle:
            self.problem(f"sources.{circle.first}.formula", str(circle))

    def _named(self, path: str, tables: Any) -> Iterable[tuple[str, dict[str, Any]]]:
        if not isinstance(tables, dict):
            self.problem(path, f"expected tables, [{path}.NAME]")
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
                self.problem(f"{path}.kind", f"unknown; {suggestion(str(written), kinds)}")
            return kind
        hints = set(table)
        if isinstance(table.get("url"), str):
            hints.add(table["url"].partition(":")[0] + ":")
        found = next((kind for kind in kinds.values() if kind.told_by & hints), None)
        if found is None:
            self._no_kind(path, table, kinds)
        return found

    def _no_kind(self, path: str, table: dict[str, Any], kinds: Mapping[str, Kind]) -> None:
        """Report that no key implies a kind; a key may be misspelt, as in ``comand = "uptime"``."""
        known = {key for kind in kinds.values() for key in kind.settings.__struct_fields__}
        implying = {key for kind in kinds.values() for key in kind.told_by}
        telling = {"kind", *known & implying}
        schemes = sorted(key + "//" for key in implying if key.endswith(":"))
        if schemes:
            telling.add("url")
        found = False
        for key in sorted(table.keys() - known):
            near = closest(key, sorted(telling)) or closest(key, sorted(known))
            if near:
                found = found or near in telling
                self.problem(f"{path}.{key}", f"unknown key; did you mean {near}?")
        if isinstance(table.get("url"), str) and schemes:
            found = True
            self.problem(f"{path}.url", f"expected {' or '.join(schemes)}…")
        if not found:
            self.problem(path, f"say which kind: one of {', '.join(sorted(kinds))}")
