"""Whether a stream can be believed, and whether somebody should look: pure judgements.

``fresh``, ``late`` and ``failed`` speak about our knowledge; ``ok``, ``warn`` and ``critical`` about
the world.  A judge is told the time; it never asks.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from streamd.core.limit import Limit

Knowledge = Literal["fresh", "late", "failed"]
Level = Literal["ok", "warn", "critical"]


class Health(msgspec.Struct, frozen=True, omit_defaults=False):
    """The health of a stream, as viewers are told it.

    :ivar state: ``failed``: its source says so; ``late``: no proof within what it promised.
    :ivar level: judged from the newest value by the stream's limits.
    :ivar since: when state or level last changed, seconds since the epoch.
    :ivar proof: when the value was last confirmed, by an update or by a run that found nothing new.
    :ivar error: why it failed, in words fit for a wall.
    """

    state: Knowledge
    level: Level
    since: float
    proof: float | None = None
    error: str | None = None


class Trouble(NamedTuple):
    """A failure, or the refusal of a value, and its place in the order of readings.

    :ivar reading: the number of the reading that brought it, or a number of its own for a failure.
    :ivar message: the reason, in words fit for a wall.
    """

    reading: int
    message: str


def standing(trouble: Trouble | None, proved: int) -> Trouble | None:
    """Return the trouble unless a later reading overcame it.

    A reading that was under way when its source failed began before the failure: its number is lower,
    so it overcomes nothing.

    :param proved: the number of the newest reading that proved otherwise.
    """
    return trouble if trouble is not None and trouble.reading >= proved else None


def level(value: Any, warn: Limit | None, critical: Limit | None) -> Level:
    """The level of a decoded value under its limits."""
    if critical is not None and critical.holds(value):
        return "critical"
    if warn is not None and warn.holds(value):
        return "warn"
    return "ok"


def knowledge(
    error: str | None,
    proof: float | None,
    expect: float | None,
    now: float,
    restored: bool = False,
) -> Knowledge:
    """The state of a stream whose last proof was at ``proof`` and that promised one per ``expect``.

    :param error: the newest trouble that stands, of the stream or of its source.
    :param proof: seconds since the epoch; None: never.
    :param expect: seconds; None: it promised nothing.
    :param restored: the value is from before the log was read, and nobody has confirmed it since.
    """
    if error is not None:
        return "failed"
    if restored:
        return "late"
    if expect is not None and (proof is None or now - proof > expect):
        return "late"
    return "fresh"
