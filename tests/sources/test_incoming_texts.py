"""Texts are readings, and a flood of them costs no more than a trickle."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.sources.incoming_texts import MAX_TEXT, ROOM, Texts, read_text
from streamd.wire.requests import PACE
from tests.support.fakes import Daemonette


class ReadTextTests(SynchronousTestCase):
    def test_json_or_text(self) -> None:
        for text, value in {
            b"7": 7,
            b' {"a": [null]}\n': {"a": [None]},
            b'"7"': "7",
            b"07": "07",
            b"NaN": "NaN",
            b"": "",
            "Käse".encode(): "Käse",
            b"[" * 10_000: "[" * 10_000,
        }.items():
            self.assertEqual(value, read_text(text))

    def test_neither_json_nor_utf_8_or_too_long(self) -> None:
        for text in (b"\xff", b'"\xff"', b"1" * (MAX_TEXT + 1)):
            self.assertRaises(Refused, read_text, text)


class TextsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = Daemonette()
        self.texts = Texts(self.daemon.feed("load"), self.daemon.clock)

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.texts.put(b"%d" % number)

    @property
    def told(self) -> list[object]:
        return [value for _, value in self.daemon.log]

    def test_a_trickle_is_reported_at_once(self) -> None:
        for number in range(3 * ROOM):
            self.put(number)
            self.assertEqual(number, self.told[-1])
            self.daemon.clock.advance(PACE)

    def test_a_burst_is_reported_whole(self) -> None:
        self.put(*range(ROOM))
        self.assertEqual([*range(ROOM)], self.told)

    def test_of_a_flood_the_newest(self) -> None:
        self.put(*range(1000))
        self.daemon.clock.advance(PACE)
        self.assertEqual([*range(ROOM), 999], self.told)
        self.put(*range(1000, 2000))
        self.daemon.clock.advance(PACE)
        self.assertEqual([*range(1000, 1000 + ROOM - 1), 1999], self.told[ROOM + 1 :])

    def test_a_flood_keeps_the_newest_of_each_stream(self) -> None:
        self.put(*range(ROOM))
        for member in range(50):
            self.texts.put(b'{"s%d": 1, "last": %d}' % (member, member))
        self.texts.put(b'{"s0": 2}')
        self.put(7)
        self.daemon.clock.advance(PACE)
        self.assertEqual(2, self.daemon.values()["load.s0"])
        self.assertEqual(1, self.daemon.values()["load.s49"])
        self.assertEqual(49, self.daemon.values()["load.last"])
        self.assertEqual(7, self.daemon.values()["load"])

    def test_in_a_flood_an_object_that_is_whole_is_one_value(self) -> None:
        texts = Texts(self.daemon.feed("load", whole=True), self.daemon.clock, whole=True)
        for number in range(1000):
            texts.put(b'{"a%d": 1}' % number)
        self.daemon.clock.advance(PACE)
        self.assertEqual({"a999": 1}, self.daemon.values()["load"])

    def test_what_ends_a_flood_is_what_counts(self) -> None:
        self.put(*range(ROOM))
        self.texts.put(b"\xff")
        self.put(1)
        self.daemon.clock.advance(PACE)
        self.assertEqual(("fresh", None), self.daemon.health("load"))
        self.put(*range(ROOM))
        self.texts.put(b"\xff")
        self.daemon.clock.advance(PACE)
        self.assertEqual("failed", self.daemon.health("load")[0])

    def test_an_empty_object_is_a_reading(self) -> None:
        self.put(1)
        self.texts.put(b"\xff")
        self.texts.put(b"{}")
        self.daemon.clock.advance(PACE)
        self.assertEqual([1], self.told)

    def test_flush(self) -> None:
        self.put(*range(1000))
        self.texts.flush()
        self.assertEqual(999, self.told[-1])

    def test_stop(self) -> None:
        self.put(*range(1000))
        self.texts.stop()
        self.daemon.clock.advance(1)
        self.assertEqual(ROOM, len(self.told))
        self.assertEqual([], self.daemon.clock.getDelayedCalls())

    def test_nothing_is_held_back_after_a_flood(self) -> None:
        self.put(*range(1000))
        self.daemon.clock.advance(PACE)
        self.daemon.clock.advance(PACE)
        self.assertEqual([], self.daemon.clock.getDelayedCalls())
        self.put(5)
        self.assertEqual(5, self.told[-1])

    def test_a_bad_text_is_a_failure_until_the_next(self) -> None:
        self.texts.put(b"\xff")
        self.assertEqual("failed", self.daemon.health("load")[0])
        self.put(1)
        self.assertEqual(("fresh", None), self.daemon.health("load"))
