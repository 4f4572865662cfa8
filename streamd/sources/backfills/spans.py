"""Divides the time of a backfill into windows.  Pure."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

DAY = 86_400

PARTS = (43_200, 21_600, 10_800, 3600, 1800, 600, 60, 10, 1)
"""Windows shorter than a day, in seconds, for days with too many rows."""

LONGEST = 64 * DAY
"""The longest window: the past becomes visible window by window."""


def midnight(time: float, zone: tzinfo | None) -> float:
    """Return the last midnight up to a time.

    :param zone: None for the zone of this machine.
    """
    return _local(time, zone).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def end_of_window(begin: float, size: int, zone: tzinfo | None) -> float:
    """Return the end of a window: whole days end at midnight, so that no day is cut in two.

    A query that groups by the hour or the day then finds all rows of an hour or a day in one window.

    :param begin: seconds since the epoch.
    :param size: seconds; from a day on, a multiple of a day.
    """
    noon = _local(begin, zone).replace(hour=12, minute=0, second=0, microsecond=0)
    after = midnight((noon + timedelta(days=max(1, size // DAY))).timestamp(), zone)
    return after if size >= DAY else min(begin + size, after)


def _local(time: float, zone: tzinfo | None) -> datetime:
    # Without a zone the time stays naive, so that timestamp() takes the offset of its own day.
    return datetime.fromtimestamp(time, zone)


def shorter(size: int, least: int = PARTS[-1]) -> int | None:
    """Return the seconds of the next shorter window; None if it would be shorter than ``least``."""
    half = size // DAY // 2 * DAY
    found = half or next((part for part in PARTS if part < size), 0)
    return found if found >= least else None


def longer(size: int) -> int:
    """Return the seconds of the next longer window, at most :data:`LONGEST`."""
    if size >= DAY:
        return min(2 * size, LONGEST)
    return next((part for part in reversed(PARTS) if part > size), DAY)
