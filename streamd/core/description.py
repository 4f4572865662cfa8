"""Descriptions: the configured properties of a stream, such as its title, unit and limits."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from streamd.core.duration import Duration
from streamd.core.limit import Limit
from streamd.core.written import Written

KINDS_OF_TILE = ("value", "status", "chart", "list")
"""The kinds of tiles that the page can show.

The list is the same as in ``web/kinds/registry.js``, in the same order; a test compares them.
"""

TileKind = Annotated[str, msgspec.Meta(pattern=rf"^({'|'.join(KINDS_OF_TILE)})\Z")]
"""The name of a kind of tile, checked when a structure is decoded."""


class Keep(Written):
    """The history that a stream keeps: a number of updates, or the updates of a time in seconds."""

    MAX_UPDATES = 1_000_000

    def __init__(self, updates: int | None = 100, seconds: float | None = None) -> None:
        self.updates, self.seconds = updates, seconds

    @classmethod
    def parse(cls, written: Any) -> Keep:
        """Parse a configured value; a ValueError says which form is expected."""
        if isinstance(written, int) and not isinstance(written, bool):
            if not 1 <= written <= cls.MAX_UPDATES:
                raise ValueError(f"expected 1 to {cls.MAX_UPDATES} updates")
            return cls(written)
        if isinstance(written, str):
            return cls(None, Duration.parse(written))
        raise ValueError('expected a number of updates, or a duration such as "24h"')


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[streams.NAME]``: the configured properties of a stream.

    :ivar rollup: seconds for which the stream keeps its long history; None if it keeps none.
    :ivar expect: seconds; the stream is late if its value was not confirmed for longer than this.
    """

    title: str | None = None
    unit: str | None = None
    show: TileKind | None = None
    keep: Keep = Keep()
    rollup: Duration | None = None
    expect: Duration | None = None
    warn: Limit | None = None
    critical: Limit | None = None

    def public(self) -> dict[str, Any]:
        """Return the fields that viewers are told, as JSON values."""
        told: dict[str, Any] = {
            "title": self.title,
            "unit": self.unit,
            "show": self.show,
            "rollup": self.rollup and f"{self.rollup:g}s",
            "expect": self.expect and float(self.expect),
            "warn": self.warn and self.warn.text,
            "critical": self.critical and self.critical.text,
        }
        keep = self.keep.updates if self.keep.updates is not None else f"{self.keep.seconds:g}s"
        return {"keep": keep} | {key: value for key, value in told.items() if value is not None}
