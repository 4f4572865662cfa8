"""Topic filters of MQTT: their form, the topics that they match, and the streams of these topics.

Pure.

The rules are in MQTT 5.0, section 4.7.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Protocol, Self

from streamd.core.names import end_of_name, join_ends
from streamd.core.parsed_text import ParsedText

MAX_FILTERS = 100
"""The most topic filters of one source: they are tried one after the other for each message."""

_FORM = (
    'expected a topic such as "plant/kitchen/temperature", '
    'where + stands for any level and # at the end for any rest: "plant/+/temperature"'
)


class TopicFilter(ParsedText):
    """A topic, or a pattern of topics: ``+`` stands for one level, a last ``#`` for any number."""

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def parse(cls, written: Any) -> TopicFilter:
        if not isinstance(written, str) or not 1 <= len(written.encode()) <= 65_535:
            raise ValueError(_FORM)
        levels = written.split("/")
        if "\0" in written or "#" in levels[:-1]:
            raise ValueError(_FORM)
        if any(len(level) > 1 and ("#" in level or "+" in level) for level in levels):
            raise ValueError(_FORM)
        if levels[0] == "$share":
            raise ValueError("expected a topic without $share: only one node reads it anyway")
        return cls(written)

    def match(self, topic: str) -> str | None:
        """Return the end of the stream's name for a topic that matches; else None.

        The end consists of the levels that the wildcards stand for, joined by dots.  It is empty if
        they stand for none.
        """
        wanted, levels = self.text.split("/"), topic.split("/")
        if topic.startswith("$") and wanted[0] in ("+", "#"):
            return None  # a wildcard does not match what a broker says about itself
        rest = wanted[-1] == "#"
        if rest:
            wanted.pop()
        if len(levels) < len(wanted) or (len(levels) > len(wanted) and not rest):
            return None
        found = []
        for pattern, level in zip(wanted, levels, strict=False):
            if pattern == "+":
                found.append(level)
            elif pattern != level:
                return None
        return ".".join(map(end_of_name, found + levels[len(wanted) :]))


class Matcher(Protocol):
    """A filter of topics, or of another broker's names for them, such as routing keys."""

    text: str

    def match(self, topic: str) -> str | None:
        """Return the end of the stream's name for a topic that matches; else None."""


class Topics(ParsedText):
    """The topic filters of a source: one, or a table of them by the beginnings of streams' names."""

    PATTERN: ClassVar[Any] = TopicFilter
    WHAT: ClassVar = "topics"

    def __init__(self, filters: tuple[tuple[str, Matcher], ...]) -> None:
        """:param filters: pairs of the beginning of the ends of names, and a filter."""
        self.filters = filters

    @classmethod
    def parse(cls, written: Any) -> Self:
        if not isinstance(written, dict):
            return cls((("", cls.PATTERN.parse(written)),))
        if not 1 <= len(written) <= MAX_FILTERS:
            raise ValueError(f"expected 1 to {MAX_FILTERS} {cls.WHAT}")
        return cls(tuple((name, cls.PATTERN.parse(text)) for name, text in written.items()))

    def __iter__(self) -> Iterator[str]:
        """Yield the texts of the filters."""
        return (filter.text for _, filter in self.filters)

    def match(self, topic: str) -> str | None:
        """Return the end of the stream's name for a topic; None if no filter matches."""
        for begin, filter in self.filters:
            end = filter.match(topic)
            if end is not None:
                return join_ends(begin, end)
        return None
