"""Routing keys of AMQP: patterns, the keys that they match, and the streams of these keys.  Pure.

The rules for topic exchanges are in AMQP 0-9-1, section 3.1.3.3.
"""

from __future__ import annotations

from typing import Any, ClassVar

from streamd.core.names import end_of_name
from streamd.core.parsed_text import ParsedText
from streamd.sources.brokers.mqtt_topics import Topics

MAX_KEY = 255
"""The most bytes of a routing key: AMQP calls it a short string."""

_FORM = (
    'expected a routing key such as "plant.kitchen.temperature", '
    'where * stands for any word and one # for any number of words: "plant.*.temperature"'
)


class KeyPattern(ParsedText):
    """A routing key, or a pattern of them: ``*`` stands for one word, ``#`` for any number."""

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def parse(cls, written: Any) -> KeyPattern:
        if not isinstance(written, str) or len(written.encode()) > MAX_KEY or "\0" in written:
            raise ValueError(_FORM)
        if written.split(".").count("#") > 1:  # which part each of them stands for is not certain
            raise ValueError(_FORM)
        return cls(written)

    def match(self, key: str) -> str | None:
        """Return the end of the stream's name for a routing key that matches; else None.

        The end consists of the words that the wildcards stand for, joined by dots.  It is empty if
        they stand for none.
        """
        wanted, words = self.text.split("."), key.split(".") if key else []
        if not self.text:
            wanted = []
        if "#" in wanted:
            at, rest = wanted.index("#"), len(words) - len(wanted) + 1
            if rest < 0:
                return None
            wanted[at : at + 1] = ["*"] * rest
        if len(words) != len(wanted):
            return None
        found = []
        for pattern, word in zip(wanted, words, strict=True):
            if pattern == "*":
                found.append(word)
            elif pattern != word:
                return None
        return ".".join(map(end_of_name, found))


class Keys(Topics):
    """The patterns of a source: one, or a table of them by the beginnings of streams' names."""

    PATTERN: ClassVar = KeyPattern
    WHAT: ClassVar = "keys"
