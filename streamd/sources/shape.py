"""Turns documents and messages into readings: picks parts, and finds the name of a row.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from streamd.config.fields import ConfigError
from streamd.core.names import by_name, end_of_name
from streamd.core.pointer import Pick
from streamd.core.values import BadValue

Event = tuple[Any, float | None]
"""A reading, and the time when it was true in seconds since the epoch, or None for now."""


class Shape(NamedTuple):
    """How a document becomes a reading.

    :ivar pick: the parts of the document that count.
    :ivar key: the member that names the row: ``{"host": "a", "load": 1}`` with the key ``host`` becomes
        the member ``a.load``.  None: the members are not renamed.
    :ivar whole: whether an object stays one value.
    """

    pick: Pick = Pick("")
    key: str | None = None
    whole: bool = False

    def of(self, document: Any) -> Any:
        """Return the reading in a document; rows without a name become a :class:`BadValue`."""
        value = self.pick.out_of(document)
        if self.key is None:
            return value if self.whole or not isinstance(value, dict) else by_name(value)
        rows = value if isinstance(value, list) else [value]
        found: dict[str, Any] = {}
        for row in rows:
            if not isinstance(row, dict) or isinstance(row.get(self.key), dict | list | None):
                return BadValue(f"there is no name at {self.key}", "key")
            found |= self._row(row)
        return found

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        assert self.key is not None
        name = end_of_name(name_of(row[self.key]))
        parts = {member: part for member, part in row.items() if member != self.key}
        return {f"{name}.{end}": part for end, part in by_name(parts).items()}


def name_of(value: Any) -> str:
    """Return the text that names a row, in the words of JSON: ``true``, not ``True``."""
    return value if isinstance(value, str) else str(value).lower()


def check_shape(path: str, shape: Shape) -> Shape:
    """Return a shape that a table configures.

    :param path: the key path of the table.
    :raises ConfigError: if its keys contradict each other.
    """
    if shape.key is not None and shape.whole:
        raise ConfigError(
            [f"{path}.key: makes a stream for each member, and whole = true makes one"]
        )
    return shape


def newest(events: Sequence[Event], limit: int) -> list[Event]:
    """Return the newest events, and the newest value of each stream from the older ones.

    :param limit: how many of the newest events stay as they are.
    """
    cut = max(0, len(events) - limit)
    recent = list(events[cut:])
    known = set(_streams(reading for reading, _ in recent))
    kept: list[Event] = []
    for reading, time in reversed(events[:cut]):
        if isinstance(reading, dict):
            reading = {end: part for end, part in reading.items() if end not in known}
            if not reading:
                continue
        elif "" in known:
            continue
        known.update(_streams([reading]))
        kept.append((reading, time))
    return [*reversed(kept), *recent]


def _streams(readings: Iterable[Any]) -> Iterable[str]:
    for reading in readings:
        if isinstance(reading, dict):
            yield from reading
        else:
            yield ""


NOTHING = object()
"""The reading of a message that has nothing of what is wanted, as a greeting."""


class MessageShape:
    """Turns messages of different kinds into readings; drops those without the wanted parts."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._fits = False  # whether any message had the wanted parts

    def read(self, document: Any) -> Any:
        """Return the reading in a message, :data:`NOTHING`, or a :class:`BadValue`.

        Before the first message with the wanted parts, a message without them is a
        :class:`BadValue`: the configuration may be wrong.
        """
        if isinstance(document, BadValue):
            return document
        value = self._shape.of(document)
        if isinstance(value, dict) and not self._shape.whole:
            parts = {end: part for end, part in value.items() if not isinstance(part, BadValue)}
            value = parts or ([*value.values()] or [NOTHING])[0]
        if not isinstance(value, BadValue):
            self._fits = self._fits or value is not NOTHING
            return value
        return NOTHING if self._fits else value
