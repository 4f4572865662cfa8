"""Which kinds of sources and journals there are, and which of them a configuration asks for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import entry_points

from streamd.config.fields import ConfigError
from streamd.config.kind import Kind, SourceTable, Surroundings
from streamd.config.tables import Config
from streamd.journals import memory, sqlite
from streamd.journals import redis as redis_journal
from streamd.journals.journal import Journal
from streamd.sources import demo, http, postgres, process, python, random_walk, redis, sql

OWN_KINDS: tuple[Kind, ...] = (
    random_walk.KIND,
    postgres.KIND,
    sql.KIND,
    redis.KIND,
    process.KIND,
    http.KIND,
    python.KIND,
    demo.KIND,
)
"""In the order in which they are asked whether a table without ``kind`` is theirs."""

JOURNALS: tuple[Kind, ...] = (memory.KIND, sqlite.KIND, redis_journal.KIND)

ENTRY_POINTS = "streamd.sources"
"""The group in which other packages offer kinds of sources: each entry point names a ``KIND``."""


def find_kinds() -> tuple[Kind, ...]:
    """Our own kinds of sources, and those that installed packages offer.

    :raises ConfigError: naming an entry point that cannot be loaded.
    """
    found = []
    for point in entry_points(group=ENTRY_POINTS):
        try:
            found.append(point.load())
        except Exception as error:
            raise ConfigError(
                [f"the kind of source {point.value} cannot be loaded: {error}"]
            ) from error
    return (*OWN_KINDS, *found)


def tables(config: Config) -> Mapping[str, SourceTable]:
    """The sources that are configured; where there is no configuration, the demo stream's."""
    if config.file or config.sources:
        return config.sources
    return {"variable": SourceTable(random_walk.KIND, random_walk.RandomWalkSettings())}


def with_demo(config: Config) -> Config:
    """The configuration, and a wall's worth of streams."""
    table = SourceTable(demo.KIND, demo.DemoSettings())
    return config._replace(
        sources={demo.NAME: table, **config.sources},
        streams={**demo.DESCRIPTIONS, **config.streams},
    )


def make_journal(config: Config, surroundings: Surroundings) -> Journal:
    """The one that is configured, else one in the folder that systemd gives a service, else memory."""
    kind, settings = config.journal or SourceTable(memory.KIND, memory.MemorySettings())
    folder = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if config.journal is None and folder:
        kind, settings = sqlite.KIND, sqlite.SqliteSettings(path=os.path.join(folder, sqlite.FILE))
    journal: Journal = kind.make("journal", settings, surroundings)
    return journal
