"""Tries the backfill of a source: reads some rows, and stores none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import localtime, strftime
from typing import NamedTuple

from streamd.core.description import Description
from streamd.core.names import is_below, join_ends
from streamd.sources.backfills.backfill import Backfill
from streamd.sources.backfills.rows import PastRow
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


async def try_backfill(name: str, backfill: Backfill, streams: Mapping[str, Description]) -> Tried:
    """Read some rows of the backfill of a source.

    :param streams: the configured streams.
    """
    rollups = {
        stream: description.rollup
        for stream, description in streams.items()
        if description.rollup is not None and is_below(stream, name)
    }
    try:
        sample = await backfill.sample(rollups)
    except SourceError as error:
        path = f"sources.{name}.{error.key or 'backfill'}"
        return Tried([], [f"{path}: {error.message} {error.detail}".strip()])
    finally:
        backfill.stop()
    told = {join_ends(name, end) for row in sample.rows for end in row.values}
    strange = ", ".join(sorted(told - rollups.keys()))
    first = "some of its rows:" if sample.rows else "no rows"
    lines = [
        f"{name}: a backfill begins at {_when(sample.begin)}; {first}",
        *(_say(name, row) for row in sample.rows),
    ]
    if not strange:
        return Tried(lines, [])
    if backfill.keyed:  # rows of keys that are no stream any more
        return Tried([*lines, f"  not kept, because without rollup: {strange}"[:WIDE]], [])
    path = f"sources.{name}.{backfill.key}"
    return Tried(lines, [f"{path}: without rollup nothing is kept: {strange}"])


def _say(name: str, row: PastRow) -> str:
    values = ", ".join(f"{end or name} {value.decode()}" for end, value in row.values.items())
    line = f"  {_when(row.time)}  {values}"
    return line if len(line) <= WIDE else f"{line[: WIDE - 1]}…"


def _when(seconds: float) -> str:
    return strftime("%Y-%m-%d %H:%M", localtime(seconds))
