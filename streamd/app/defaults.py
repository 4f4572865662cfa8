"""The default sources and the default journal."""

from __future__ import annotations

import os
from collections.abc import Mapping

from streamd.config.kind import SourceTable, Surroundings
from streamd.config.tables import Config
from streamd.journals import memory, sqlite
from streamd.journals.journal import Journal
from streamd.sources import demo, random_walk


def source_tables(config: Config) -> Mapping[str, SourceTable]:
    """Return the configured sources; without a configuration file, the source of the demo stream."""
    if config.file or config.sources:
        return config.sources
    return {"variable": SourceTable(random_walk.KIND, random_walk.RandomWalkSettings())}


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


def make_journal(config: Config, surroundings: Surroundings) -> Journal:
    """Make the journal."""
    kind, settings = journal_table(config)
    journal: Journal = kind.make("journal", settings, surroundings)
    return journal
