"""Durations as people write them: ``"500ms"``, ``"5s"``, ``"2m"``, ``"24h"``, ``"7d"``."""

from __future__ import annotations

import re
from typing import Any


class Duration(float):
    """A positive number of seconds, written ``"500ms"``, ``"5s"``, ``"2m"`` or ``"24h"``."""

    @classmethod
    def parse(cls, written: Any) -> Duration:
        if not isinstance(written, str):
            raise ValueError('expected a duration such as "5s" (a text, with its unit)')
        seconds = parse_duration(written)
        if seconds <= 0:
            raise ValueError("expected a duration longer than 0")
        return cls(seconds)


_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Return the seconds in ``"500ms"``, ``"5s"``, ``"2m"``, ``"24h"`` or ``"7d"``.

    :raises ValueError: if the text has another form.
    """
    match = _DURATION.fullmatch(text) if len(text) < 20 else None
    if not match:
        raise ValueError('expected a duration such as "5s", with the unit ms, s, m, h or d')
    return float(match[1]) * _SECONDS[match[2]]
