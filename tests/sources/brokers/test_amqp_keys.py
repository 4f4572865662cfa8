"""Patterns of routing keys: which keys match, and what their streams are called."""

from __future__ import annotations

import pytest

from streamd.sources.brokers.amqp_keys import KeyPattern, Keys


@pytest.mark.parametrize(
    ("text", "key", "end"),
    [
        ("a.b", "a.b", ""),
        ("a.b", "a.c", None),
        ("a.b", "a", None),
        ("a.b", "a.b.c", None),
        ("a.*", "a.b", "b"),
        ("a.*", "a.", "_"),
        ("a.*", "a", None),
        ("*.x.*", "a.x.b", "a.b"),
        ("a.#", "a", ""),
        ("a.#", "a.b", "b"),
        ("a.#", "a.b.c", "b.c"),
        ("#.c", "c", ""),
        ("#.c", "a.b.c", "a.b"),
        ("a.#.c", "a.c", ""),
        ("a.#.c", "a", None),
        ("a.#.*", "a.b.c", "b.c"),
        ("a.#.c", "a.b.b", None),
        ("#", "", ""),
        ("#", "a.b", "a.b"),
        ("*", "", None),
        ("", "", ""),
        ("", "a", None),
        ("a*", "a*", ""),
        ("a*", "ab", None),
        ("a.*", "a.größe 1", "gr__e_1"),
    ],
)
def test_match(text: str, key: str, end: str | None) -> None:
    assert KeyPattern.parse(text).match(key) == end


@pytest.mark.parametrize("text", ["#.#", "#.a.#", "a\0", 7, "x" * 256, "ß" * 128])
def test_invalid_pattern(text: object) -> None:
    with pytest.raises(ValueError, match="expected a routing key"):
        KeyPattern.parse(text)


def test_the_first_pattern_that_matches() -> None:
    keys = Keys.parse({"hall": "a.hall", "rest": "a.#"})
    assert [keys.match(key) for key in ("a.hall", "a.x", "b")] == ["hall", "rest.x", None]
    assert [*keys] == ["a.hall", "a.#"]


@pytest.mark.parametrize("written", [{}, {str(n): "a" for n in range(101)}])
def test_how_many(written: object) -> None:
    with pytest.raises(ValueError, match="expected 1 to 100 keys"):
        Keys.parse(written)
