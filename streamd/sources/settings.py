"""The settings that every table ``[sources.NAME]`` has."""

from __future__ import annotations

from typing import Any

import msgspec

from streamd.core.duration import Duration

LATE_AFTER = 3
"""The number of intervals without a proof that make a stream late, unless ``expect`` is configured."""


class SourceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of every table ``[sources.NAME]``.

    :ivar whole: publish an object as one value, instead of one stream for each member.
    :ivar repeat: publish a value even if it equals the last one.
    :ivar expect: the most seconds between two proofs; after that the streams are late.
    """

    whole: bool = False
    repeat: bool = False
    expect: Duration | None = None


def has_backfill(settings: Any) -> bool:
    """Return whether the settings of a source, of any kind, have a table ``backfill``.

    The source then has an attribute ``backfill`` with its
    :class:`~streamd.sources.backfills.backfill.Backfill`.
    """
    return getattr(settings, "backfill", None) is not None
