"""The defaults: sources, journal and time zone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from streamd.config.fields import Timezone
from streamd.config.kind import SourceTable, Surroundings
from streamd.config.tables import Config, ServerSettings
from streamd.journals import memory, sqlite
from streamd.journals.journal import Journal
from streamd.sources import demo, random_walk
from streamd.sources.alerts.alert import ALERT, AlertSettings


def source_tables(config: Config) -> Mapping[str, SourceTable]:
    """Return the configured sources, and the alerts, which run as the sources ``alerts.NAME``.

    Without a configuration file, return the source of the demo stream.
    """
    if config.file or config.sources:
        return {**config.sources, **dict(alert_tables(config))}
    return {"variable": SourceTable(random_walk.KIND, random_walk.RandomWalkSettings())}


def alert_tables(config: Config) -> Iterator[tuple[str, SourceTable]]:
    """Yield the alerts, by the names of their streams."""
    url = config.server.url
    link = None if url is None else str(url)  # msgspec encodes no subclass of str
    for name, table in config.alerts.items():
        settings = AlertSettings(table=table, link=link)
        yield f"alerts.{name}", SourceTable(ALERT, settings)


def with_demo(config: Config) -> Config:
    """Add the sources and streams of ``--demo`` to a configuration; configured ones take precedence."""
    table = SourceTable(demo.KIND, demo.DemoSettings())
    return config._replace(
        sources={demo.NAME: table, **config.sources},
        streams={**demo.DESCRIPTIONS, **config.streams},
    )


def journal_table(config: Config) -> SourceTable:
    """Return the table of the journal.

    If none is configured, the journal is a SQLite file in the folder that systemd gives the service
    (``StateDirectory=``).  Without such a folder, the journal is in memory.
    """
    folder = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if config.journal is not None or not folder:
        return config.journal or SourceTable(memory.KIND, memory.MemorySettings())
    return SourceTable(sqlite.KIND, sqlite.SqliteSettings(path=os.path.join(folder, sqlite.FILE)))


def journal_place(config: Config) -> str:
    """Return where the journal is, for the log: a path, or an address without its password."""
    settings = journal_table(config).settings
    place = getattr(settings, "path", None) or getattr(settings, "url", None)
    return str(place or "in memory: a restart begins with nothing")


def is_in_memory(config: Config) -> bool:
    """Return whether a restart of the daemon begins with an empty journal."""
    return journal_table(config).kind is memory.KIND


def make_journal(config: Config, surroundings: Surroundings) -> Journal:
    """Make the journal."""
    kind, settings = journal_table(config)
    journal: Journal = kind.make("journal", settings, surroundings)
    return journal


def wall_place(server: ServerSettings) -> tuple[str | None, str | None]:
    """Return the language and the time zone of walls without their own; None for the browser's."""
    return server.language, server.timezone or machine_timezone()


LOCALTIME = Path("/etc/localtime")
"""The machine's time zone: a link to a file of the IANA database (localtime(5))."""

UNSET = ("UTC", "Etc/UTC", "Universal", "Zulu")
"""The zones of machines and containers that nobody has told where they are."""


def machine_timezone(localtime: Path = LOCALTIME) -> str | None:
    """Return the IANA name of the machine's time zone.

    None if the machine names none, or is in UTC.  Then the time zone of the browser is more likely
    to be right.

    :param localtime: the link to the zone's file.
    """
    name = os.environ.get("TZ", "").removeprefix(":") or str(localtime.resolve())
    name = name.rpartition("/zoneinfo/")[2]
    try:
        zone = Timezone.parse(name)
    except ValueError:  # a rule such as "CET-1CEST", or a copy instead of a link
        return None
    return None if zone in UNSET else zone
