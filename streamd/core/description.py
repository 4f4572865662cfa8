"""Descriptions: the configured properties of a stream, such as its title, unit and limits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from streamd.core.duration import Duration
from streamd.core.limit import Limit
from streamd.core.parsed_text import ParsedText
from streamd.core.presentation import (
    OWN_UNIT,
    WHOLE,
    Currency,
    DateOrTime,
    Days,
    Decimals,
    ValueFormat,
    Words,
    word_of,
)

KINDS_OF_TILE = (
    "value",
    "status",
    "chart",
    "quantiles",
    "list",
    "band",
    "switches",
    "progress",
    "notice",
    "image",
    "table",
    "ranked",
    "hours",
    "log",
)
"""The kinds of tiles that the page can show.

The list is the same as in ``web/kinds/registry.js``, in the same order; a test compares them.
"""

TileKind = Annotated[str, msgspec.Meta(pattern=rf"^({'|'.join(KINDS_OF_TILE)})\Z")]
"""The name of a kind of tile, checked when a structure is decoded."""


class Keep(ParsedText):
    """The history that a stream keeps: a number of updates, or those of the last seconds."""

    MAX_UPDATES = 1_000_000

    def __init__(self, updates: int | None = 100, seconds: float | None = None) -> None:
        self.updates, self.seconds = updates, seconds

    @classmethod
    def parse(cls, written: Any) -> Keep:
        if isinstance(written, int) and not isinstance(written, bool):
            if not 1 <= written <= cls.MAX_UPDATES:
                raise ValueError(f"expected 1 to {cls.MAX_UPDATES} updates")
            return cls(written)
        if isinstance(written, str) and not written.isdecimal():
            return cls(None, Duration.parse(written))
        raise ValueError('expected a number of updates, or a duration such as "24h"')


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[streams.NAME]``: the configured properties of a stream.

    :ivar rollup: seconds for which the stream keeps its long history; None if it keeps none.
    :ivar expect: seconds; the stream is late if its value was not confirmed for longer than this.
    :ivar words: the words that walls show instead of values.
    :ivar goal: the number that the stream should reach.
    :ivar begin: the time when the progress to the goal, or the wait for a time, begins (the key
        ``from``).
    :ivar by: the time by which the goal should be reached.
    :ivar compare: the age in calendar days of the value with which tiles compare the newest value.
    """

    title: str | None = None
    unit: str | None = None
    show: TileKind | None = None
    words: Words | None = None
    format: ValueFormat | None = None
    currency: Currency | None = None
    decimals: Decimals | None = None
    keep: Keep = Keep()
    rollup: Duration | None = None
    compare: Days | None = None
    expect: Duration | None = None
    warn: Limit | None = None
    critical: Limit | None = None
    goal: float | None = None
    begin: DateOrTime | None = msgspec.field(name="from", default=None)
    by: DateOrTime | None = None

    def public(self) -> dict[str, Any]:
        """Return the fields for viewers, as JSON values."""
        told: dict[str, Any] = {
            "title": self.title,
            "unit": self.unit,
            "show": self.show,
            "words": self.words,
            "format": self.format,
            "currency": self.currency and str(self.currency),
            "decimals": self.decimals,
            "rollup": self.rollup and _seconds(self.rollup),
            "compare": self.compare and f"{self.compare}d",
            "expect": self.expect and float(self.expect),
            "warn": self.warn and self.warn.text,
            "critical": self.critical and self.critical.text,
            "goal": self.goal,
            "from": self.begin and self.begin.text,
            "by": self.by and self.by.text,
        }
        keep = self.keep.updates or _seconds(self.keep.seconds or 0.0)
        return {"keep": keep} | {key: value for key, value in told.items() if value is not None}

    def word(self, value: bytes) -> str | None:
        """Return the configured word for a value; None if it has no word.

        :param value: JSON text.
        """
        return None if self.words is None else word_of(self.words, value)

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Yield the key and an error text for each setting that does not fit the others."""
        yield from self._format_contradictions()
        yield from self._goal_contradictions()
        kept = max(self.keep.seconds or 0.0, self.rollup or 0.0)
        if self.compare is not None and kept < self.compare.seconds:
            line = f'rollup = "{self.compare + 1}d"'
            yield "compare", f"the history is shorter than {self.compare} d; add the line {line}"

    def _format_contradictions(self) -> Iterator[tuple[str, str]]:
        if self.words is not None and self.format is not None:
            yield "format", "expected words or a format, not both"
        if self.format == "money" and self.currency is None:
            yield "currency", 'is missing: format = "money" needs one, such as currency = "EUR"'
        if self.currency is not None and self.format != "money":
            yield "currency", 'needs format = "money"'
        if self.unit is not None and self.format in OWN_UNIT:
            yield "unit", f'format = "{self.format}" takes no unit'
        if self.decimals is not None and self.format in WHOLE:
            yield "decimals", f'format = "{self.format}" has no decimals'

    def _goal_contradictions(self) -> Iterator[tuple[str, str]]:
        if self.goal is not None and not math.isfinite(self.goal):
            yield "goal", "expected a finite number"
        if self.by is not None and self.goal is None:
            yield "by", "needs a goal, such as goal = 500"
        if self.begin is not None and self.by is None and self.format != "until":
            yield "from", 'needs by, such as by = "2026-12-31", or format = "until"'
        if self.begin is not None and self.by is not None:
            try:
                if not self.begin.is_before(self.by):
                    yield "from", f"expected a time before {self.by.text}, which is by"
            except ValueError as error:
                yield "from", str(error)


class RelayedDescription(Description, frozen=True, kw_only=True):
    """The description of a stream that comes from other logs.

    :ivar via: the lives of these logs.  A log does not read its own streams back through another one.
    """

    via: tuple[str, ...]

    def public(self) -> dict[str, Any]:
        """Return the fields for viewers, as JSON values."""
        return {**super().public(), "via": list(self.via)}


def relayed(description: Description, via: tuple[str, ...]) -> Description:
    """Return the description with the lives of the logs that the stream came through, if any."""
    if not via:
        return description
    fields = {field: getattr(description, field) for field in Description.__struct_fields__}
    return RelayedDescription(**fields, via=via)


def _seconds(seconds: float) -> str:
    """Return a duration as viewers are told it, with all its digits: ``1296000s``."""
    return f"{seconds:.12g}s"
