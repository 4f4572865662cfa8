"""The rows of a backfill: the values of streams at past times, and how they fill pasts.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from typing import Any, NamedTuple

from streamd.core.errors import Refused
from streamd.core.histories.past import Past
from streamd.core.names import join_ends
from streamd.core.values import from_python

SOME_VALUES = 50
"""Values between two pauses: one or two milliseconds."""


class PastRow(NamedTuple):
    """A row of a backfill.

    :ivar time: when the values were true, in seconds since the epoch.
    :ivar values: the end of a stream's name -> JSON text.  The end is empty for the stream with the
        source's name.
    """

    time: float
    values: Mapping[str, bytes]


class PastRows(NamedTuple):
    """The rows of a window.

    :ivar rows: in the order of time.
    :ivar faults: errors of rows that are left out, by the key in the source's table.
    """

    rows: Sequence[PastRow]
    faults: Mapping[str, str]


def json_or_null(value: Any) -> bytes:
    """Return a value as JSON text; null (unknown) if no stream can hold it."""
    try:
        return from_python(value)
    except Refused:
        return b"null"


def fill(
    pasts: Mapping[str, Past], source: str, rows: Sequence[PastRow]
) -> Generator[None, None, Collection[str]]:
    """Fill pasts with rows, in steps of one or two milliseconds.

    :param pasts: by the names of their streams.
    :returns: the streams in the rows that have no past.
    """
    strange: set[str] = set()
    values = 0
    for row in rows:
        for end, value in row.values.items():
            name = join_ends(source, end)
            past = pasts.get(name)
            if past is None:
                strange.add(name)
            else:
                past.hear(row.time, value)
            values += 1
            if values % SOME_VALUES == 0:
                yield
    return strange
