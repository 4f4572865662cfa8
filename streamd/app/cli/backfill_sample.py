"""Tries the backfill of a source: reads its first rows, and fills nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from time import localtime, strftime
from typing import NamedTuple

from streamd.config.kind import Surroundings
from streamd.core.description import Description
from streamd.sources.databases.past_rows import PastRow
from streamd.sources.databases.queries import QuerySettings
from streamd.sources.databases.windows import WindowReader
from streamd.sources.errors import SourceError

WIDE = 79
"""The most characters of a line."""


class Tried(NamedTuple):
    """The plan of a backfill as ``streamd check`` prints it.

    :ivar lines: its range and its first rows, for people.
    :ivar problems: a line for each problem, with its key path.
    """

    lines: Sequence[str]
    problems: Sequence[str]


async def try_backfill(
    here: Surroundings, name: str, settings: QuerySettings, streams: Mapping[str, Description]
) -> Tried:
    """Read some rows of the backfill of a source.

    :param streams: the configured streams.
    """
    assert settings.backfill is not None
    rollups = {
        stream: description.rollup
        for stream, description in streams.items()
        if description.rollup is not None and stream.startswith(f"{name}.")
    }
    reader = WindowReader(name, settings, settings.backfill, here)
    now = time.time()
    try:
        sample = await reader.sample(now - max(rollups.values()), now, rollups)
    except SourceError as error:
        path = f"sources.{name}.{error.key or 'backfill'}"
        return Tried([], [f"{path}: {error.message} {error.detail}".strip()])
    finally:
        reader.stop()
    told = {f"{name}.{end}" for row in sample.rows for end in row.values}
    strange = ", ".join(sorted(told - rollups.keys()))
    first = "its first rows:" if sample.rows else "no rows"
    lines = [
        f"{name}: a backfill begins at {_when(sample.begin)}; {first}",
        *map(_say, sample.rows),
    ]
    if not strange:
        return Tried(lines, [])
    if settings.key is not None:  # rows of keys that are no stream any more
        return Tried([*lines, f"  not kept, because without rollup: {strange}"[:WIDE]], [])
    return Tried(
        lines, [f"sources.{name}.backfill.query: without rollup nothing is kept: {strange}"]
    )


def _say(row: PastRow) -> str:
    values = ", ".join(f"{end} {value.decode()}" for end, value in row.values.items())
    line = f"  {_when(row.time)}  {values}"
    return line if len(line) <= WIDE else f"{line[: WIDE - 1]}…"


def _when(seconds: float) -> str:
    return strftime("%Y-%m-%d %H:%M", localtime(seconds))
