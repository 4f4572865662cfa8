"""The plain wire format: what a viewer of values is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core import catchup
from streamd.core.cursor import Cursor
from streamd.core.selection import Selection
from streamd.core.state import State
from streamd.core.update import ORIGIN, Update
from streamd.wire.encoding import MAX_MESSAGE
from streamd.wire.frames import PLAIN_WEBSOCKET
from tests.support.fakes import LIFE, TODAY, texts, value
from tests.support.values import JSON_VALUES, NAMES


class Told:
    """A state, and what a plain viewer of it is told."""

    def __init__(self, selection: Selection | None = None) -> None:
        self.state = State(TODAY)
        self.state.life = LIFE
        self.selection = Selection() if selection is None else selection
        self.cursor = catchup.start(self.state)

    def publish(self, **values: Any) -> None:
        """New values; `gone` forgets."""
        for name, new in values.items():
            at = self.state.head.next(0, LIFE)
            text = None if new is gone else value(new)
            self.state.apply([Update(name, 1, at, TODAY, text)], TODAY)

    def message(self) -> bytes:
        """The next message, as it goes to the socket."""
        answer = catchup.since(self.state, self.cursor, self.selection, PLAIN_WEBSOCKET.newest)
        data, at, more = PLAIN_WEBSOCKET.encode(answer)
        self.more = more
        self.cursor = Cursor(at, answer.revision, self.cursor.backlog if more else None)
        return data

    def next(self) -> Any:
        """What the next message says; None if nothing is sent."""
        data = self.message()
        return json.loads(*texts(data)) if data else None


gone = object()


class PlainTests(SynchronousTestCase):
    def test_first_the_state_then_what_changed(self) -> None:
        told = Told()
        told.publish(variable=41, orders=7)
        self.assertEqual({"variable": 41, "orders": 7}, told.next())
        told.publish(variable=44)
        self.assertEqual({"variable": 44}, told.next())
        self.assertEqual(None, told.next())

    def test_an_empty_state_is_sent_once(self) -> None:
        told = Told()
        self.assertEqual({}, told.next())
        self.assertEqual(None, told.next())

    def test_nothing_selected(self) -> None:
        told = Told(Selection([]))
        told.publish(a=1)
        self.assertEqual({}, told.next())
        told.publish(a=2)
        self.assertEqual(None, told.next())

    def test_a_burst_is_one_message_with_the_newest(self) -> None:
        told = Told()
        told.next()
        for number in range(5):
            told.publish(a=number, b=-number)
        self.assertEqual({"a": 4, "b": -4}, told.next())

    def test_a_forgotten_stream_is_null(self) -> None:
        told = Told()
        told.publish(a=1, b=2)
        told.next()
        told.publish(a=gone)
        self.assertEqual({"a": None}, told.next())
        told.cursor = catchup.start(told.state)
        self.assertEqual({"b": 2}, told.next())

    @given(st.dictionaries(NAMES, JSON_VALUES, max_size=5))
    def test_any_value_arrives_as_it_is(self, values: Mapping[str, Any]) -> None:
        told = Told()
        told.publish(**values)
        self.assertEqual(values, told.next())

    @settings(max_examples=20)
    @given(st.lists(st.integers(0, 65_000), min_size=1, max_size=12))
    def test_a_long_answer_is_cut(self, sizes: list[int]) -> None:
        told = Told()
        whole = {f"s{number}": "x" * size for number, size in enumerate(sizes)}
        told.publish(**whole)
        held: dict[str, str] = {}
        while True:
            [text] = texts(told.message())
            part = json.loads(text)
            self.assertTrue(len(text) <= MAX_MESSAGE + 2 or len(part) == 1)
            self.assertEqual(set(), set(part) & set(held))
            held.update(part)
            if not told.more:
                break
            self.assertGreater(told.cursor.at, ORIGIN)
        self.assertEqual(whole, held)
        self.assertLess(len(whole), 2 + sum(sizes) // 20_000 + 12)

    def test_one_value_larger_than_a_message_goes_out_alone(self) -> None:
        told = Told()
        told.publish(a="x" * 65_530, b=1)
        [text] = texts(told.message())
        self.assertGreater(len(text), MAX_MESSAGE)
        self.assertTrue(told.more)
        self.assertEqual({"b": 1}, told.next())
        self.assertFalse(told.more)
