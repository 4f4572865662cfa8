"""The settings that every table ``[sources.NAME]`` has."""

from __future__ import annotations

import msgspec

from streamd.core.duration import Duration

LATE_AFTER = 3
"""The number of intervals without a proof that make a stream late, unless ``expect`` is configured."""


class SourceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of every table ``[sources.NAME]``.

    :ivar whole: publish an object as one value, instead of one stream for each member.
    :ivar repeat: publish a value even if it equals the last one.
    :ivar expect: the most seconds between two proofs; after more the streams are late.
    """

    whole: bool = False
    repeat: bool = False
    expect: Duration | None = None
