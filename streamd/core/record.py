"""Reads small records of the journal, which may be damaged or from another version."""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


def read_record(record: bytes | None, kind: type[T]) -> T | None:
    """Decode a record; None if it is missing, damaged, or written by a newer version.

    :param kind: the class of the record.
    """
    try:
        return None if record is None else msgspec.json.decode(record, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
