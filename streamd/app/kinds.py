"""Which kinds of journals there are, and which sources and journal a configuration asks for."""

from __future__ import annotations

import os
from collections.abc import Mapping

from streamd.config.kind import Kind, SourceTable, Surroundings
from streamd.config.tables import Config
from streamd.journals import memory, sqlite
from streamd.journals import redis as redis_journal
from streamd.journals.journal import Journal
from streamd.sources import demo, random_walk

JOURNALS: tuple[Kind, ...] = (memory.KIND, sqlite.KIND, redis_journal.KIND)


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
