"""A period of a stream's past as JSON and as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from streamd.core.histories.period import Period
from streamd.core.steps import steps_of
from streamd.http.request import joined
from streamd.wire.past import period_members, point

COLUMNS = "time,min,mean,max,last"
"""The members of a point in the answers, in this order."""

_encode = msgspec.json.encode


def json_of(about: Mapping[str, Any], end: float, period: Period) -> Iterator[bytes]:
    """Yield the members of the stream, and of the period; ``docs/protocol.rst`` describes them.

    :param about: the members of the stream.
    :param end: the end of the period, in seconds since the epoch.
    """
    opening = _encode({**about, **period_members(period, end)})[:-1] + b',"points":['
    return joined(map(_encode, map(point, period.slots)), opening, b"]}\n")


def csv_of(period: Period) -> Iterator[bytes]:
    """Yield a line for each slot, after a line with the names of the columns (RFC 4180)."""
    yield f"{COLUMNS}\r\n".encode()
    for slots in steps_of(period.slots):
        lines = (",".join(map(repr, point(slot))) for slot in slots)
        yield "".join(f"{line}\r\n" for line in lines).encode()
