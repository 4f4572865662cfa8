"""Reads small records, which an older or newer version may have written, or an accident damaged."""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


def read_record(record: bytes | None, kind: type[T]) -> T | None:
    """Return what a record says; None if there is none, or if it is damaged or of a newer version."""
    try:
        return None if record is None else msgspec.json.decode(record, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
