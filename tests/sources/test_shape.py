"""Documents become readings: picked, named by a row, and bounded in a flood."""

from __future__ import annotations

from typing import Any

import pytest

from streamd.core.pointer import Pick
from streamd.core.values import BadValue
from streamd.sources.shape import NOTHING, Event, MessageShape, Shape, newest


@pytest.mark.parametrize(
    ("shape", "document", "expected"),
    [
        (Shape(), {"a b": 1, "c": 2}, {"a_b": 1, "c": 2}),
        (Shape(whole=True), {"a b": 1}, {"a b": 1}),
        (Shape(), [1, {"a b": 2}], [1, {"a b": 2}]),
        (Shape(Pick("/data")), {"data": {"a": 1}}, {"a": 1}),
        (
            Shape(key="host"),
            {"host": "web 1", "n": 1, "ok": True},
            {"web_1.n": 1, "web_1.ok": True},
        ),
        (Shape(key="up"), [{"up": True, "n": 1}, {"up": 7, "n": 2}], {"true.n": 1, "7.n": 2}),
        (Shape(Pick("/rows"), "id"), {"rows": []}, {}),
    ],
)
def test_readings(shape: Shape, document: Any, expected: Any) -> None:
    assert shape.of(document) == expected


@pytest.mark.parametrize("document", [7, {"n": 1}, {"host": None}, [{"host": ["a"]}], ["a"]])
def test_a_row_without_a_name(document: Any) -> None:
    found = Shape(key="host").of(document)
    assert isinstance(found, BadValue)
    assert found.reason == "there is no name at host"


def test_of_a_flood_the_newest_of_each_stream_stays() -> None:
    events: list[Event] = [
        ({"rare": 1, "often": 0}, 1.0),
        ("text", 2.0),
        ({"often": 1}, 3.0),
        ("text too", 4.0),
        ({"often": 2}, 5.0),
        ({"often": 3}, 6.0),
    ]
    assert newest(events, 6) == events
    assert newest(events, 2) == [({"rare": 1}, 1.0), ("text too", 4.0), *events[-2:]]
    assert newest(events, 3) == [({"rare": 1}, 1.0), *events[-3:]]


def test_messages_of_another_kind_are_left_out_once_one_fits() -> None:
    messages = MessageShape(Shape(Pick({"price": "/p", "size": "/s"})))
    greeting = messages.read({"type": "hello"})
    assert isinstance(greeting, BadValue)
    assert greeting.reason == "there is nothing at /p"
    assert messages.read({"p": 7}) == {"price": 7}
    assert messages.read({"p": 7, "s": None}) == {"price": 7, "size": None}
    assert messages.read({"type": "beat"}) is NOTHING
    bad = BadValue("no text")
    assert messages.read(bad) is bad


def test_a_message_that_is_empty_is_left_out() -> None:
    assert MessageShape(Shape()).read({}) is NOTHING
    assert MessageShape(Shape(whole=True)).read({}) == {}
