"""Topic filters: which topics match, and what their streams are called."""

from __future__ import annotations

import pytest

from streamd.sources.brokers.mqtt_topics import TopicFilter, Topics


@pytest.mark.parametrize(
    ("text", "topic", "end"),
    [
        ("a/b", "a/b", ""),
        ("a/b", "a/c", None),
        ("a/b", "a", None),
        ("a/b", "a/b/c", None),
        ("a/+", "a/b", "b"),
        ("a/+", "a/", "_"),
        ("a/+", "a", None),
        ("+/x/+", "a/x/b", "a.b"),
        ("a/#", "a", ""),
        ("a/#", "a/b", "b"),
        ("a/#", "a/b/c", "b.c"),
        ("#", "a/b", "a.b"),
        ("+/#", "/b", "_.b"),
        ("#", "$SYS/load", None),
        ("+/load", "$SYS/load", None),
        ("$SYS/#", "$SYS/load/1 min", "load.1_min"),
        ("a/+", "a/größe", "gr__e"),
    ],
)
def test_match(text: str, topic: str, end: str | None) -> None:
    assert TopicFilter.parse(text).match(topic) == end


@pytest.mark.parametrize("text", ["", "a#", "#/a", "a/+b", "a\0", 7, "x" * 65_536, "$share/g/a"])
def test_invalid_filter(text: object) -> None:
    with pytest.raises(ValueError, match="expected a topic"):
        TopicFilter.parse(text)


def test_the_first_filter_that_matches() -> None:
    topics = Topics.parse({"hall": "a/hall", "rest": "a/#"})
    assert [topics.match(topic) for topic in ("a/hall", "a/x", "b")] == ["hall", "rest.x", None]
    assert [*topics] == ["a/hall", "a/#"]
