"""Settings that every ``[sources.NAME]`` has."""

from __future__ import annotations

import msgspec

from streamd.core.duration import Duration

LATE_AFTER = 3
"""Intervals without proof after which a stream is late, if nothing else was said."""


class SourceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys of every ``[sources.NAME]``.

    :ivar whole: an object is one value, not one stream a member.
    :ivar repeat: values equal to the last go out too.
    :ivar expect: a proof is expected this often.
    """

    whole: bool = False
    repeat: bool = False
    expect: Duration | None = None
