"""JSON pointers: the parts of a document that a configuration names."""

from __future__ import annotations

import pytest

from streamd.core.pointer import Pick, follow
from streamd.core.values import BadValue


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("", {"a": [1, 2], "": 3, "0": 4}), ("/a/1", 2), ("/", 3), ("/0", 4)],
)
def test_pointers(pointer: str, value: object) -> None:
    assert follow(pointer, {"a": [1, 2], "": 3, "0": 4}) == value


@pytest.mark.parametrize(
    "pointer", ["/b", "/a/2", "/a/-1", "/a/01", "/a/-", "/a/0/x", "/a/x", "/a/١"]
)
def test_pointers_to_nothing(pointer: str) -> None:
    assert isinstance(follow(pointer, {"a": [1, 2]}), BadValue)


@pytest.mark.parametrize("written", ["a", "/~2", {"a": "b"}, {"a": 1}, 7])
def test_invalid_pointer(written: object) -> None:
    with pytest.raises(ValueError, match="JSON pointer"):
        Pick.parse(written)
