"""Health: the pure rules by which a stream's state and level are computed.

The state (``fresh``, ``late`` or ``failed``) says whether the value is current.  The level (``ok``,
``warn`` or ``critical``) says whether the value is good.  The functions take the time as an argument.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from streamd.core.limit import Limit

Knowledge = Literal["fresh", "late", "failed"]
Level = Literal["ok", "warn", "critical"]


class Health(msgspec.Struct, frozen=True, omit_defaults=False):
    """The health of a stream, in the form for viewers.

    :ivar state: ``failed`` if there is an error, ``late`` if no proof came within ``expect``, else
        ``fresh``.
    :ivar level: the result of the stream's limits for the newest value.
    :ivar since: when state, level or error last changed, in seconds since the epoch.
    :ivar proof: when the value was last confirmed, by an update or by a run that found nothing new; in
        seconds since the epoch.
    :ivar error: the reason why the stream is failed, or late for another reason than ``expect``; a
        sentence that walls show.
    """

    state: Knowledge
    level: Level
    since: float
    proof: float | None = None
    error: str | None = None


class Trouble(NamedTuple):
    """An error, and its place in the order of readings and failures.

    :ivar reading: the number of the reading that had the error, or of the failure itself.
    :ivar message: the reason, a sentence that walls show.
    """

    reading: int
    message: str


def standing(trouble: Trouble | None, proved: int) -> Trouble | None:
    """Return the error, or None if a later reading resolved it.

    A reading that was under way when its source failed began before the failure.  Its number is lower,
    so it does not resolve the failure.

    :param proved: the number of the newest reading that succeeded.
    """
    return trouble if trouble is not None and trouble.reading >= proved else None


def level(value: Any, warn: Limit | None, critical: Limit | None) -> Level:
    """Return the level of a decoded value under its limits."""
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
    outdated: bool = False,
) -> Knowledge:
    """Return the state of a stream: ``failed``, ``late`` or ``fresh``.

    :param error: the newest unresolved error of the stream or of its source.
    :param proof: when the value was last confirmed, in seconds since the epoch; None if never.
    :param expect: the most seconds between two proofs; None if there is no limit.
    :param outdated: whether a newer value may exist, even if the last proof is recent.
    """
    if error is not None:
        return "failed"
    if outdated:
        return "late"
    if expect is not None and (proof is None or now - proof > expect):
        return "late"
    return "fresh"
