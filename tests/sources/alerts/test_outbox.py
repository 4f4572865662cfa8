"""Messages that wait for their addresses."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from streamd.sources.alerts.outbox import MAX_LETTERS, AlertRecord, Letter, Outbox

KEYS = ("one", "two")


def add(box: Outbox, id: str, kind: str = "begin", event: str = "") -> list[Letter]:
    return list(box.add({"id": id, "kind": kind, "event": event or id}, 0.0, KEYS))


def ids(box: Outbox) -> list[str]:
    return [letter.id for letter in box.letters]


class OutboxTests(SynchronousTestCase):
    def test_each_address_gets_all_in_order(self) -> None:
        box = Outbox()
        for id in "abc":
            self.assertEqual([], add(box, id))
        got: dict[str, list[str]] = {key: [] for key in KEYS}
        for key in ("one", "one", "two", "one", "two", "two"):
            letter = box.next(key)
            assert letter is not None
            got[key].append(letter.id)
            box.done(letter, key)
        self.assertEqual({key: ["a", "b", "c"] for key in KEYS}, got)
        self.assertEqual([], box.letters)
        self.assertIsNone(box.next("one"))

    def test_message_stays_until_each_address_has_it(self) -> None:
        box = Outbox()
        add(box, "a")
        letter = box.next("one")
        assert letter is not None
        box.done(letter, "one")
        self.assertEqual((0, 1), (box.waiting("one"), box.waiting("two")))
        self.assertEqual(["a"], ids(box))

    def test_later_message_of_an_event_replaces_a_reminder(self) -> None:
        box = Outbox()
        add(box, "a")
        add(box, "a-2", "reminder", "a")
        add(box, "b-2", "reminder", "b")
        add(box, "a-3", "reminder", "a")
        self.assertEqual(["a", "b-2", "a-3"], ids(box))
        add(box, "a-4", "end", "a")
        self.assertEqual(["a", "b-2", "a-4"], ids(box))

    def test_bound(self) -> None:
        box = Outbox()
        add(box, "r", "reminder")
        for number in range(MAX_LETTERS - 1):
            self.assertEqual([], add(box, str(number)))
        self.assertEqual(["r"], [letter.id for letter in add(box, "x")])
        self.assertEqual(["0"], [letter.id for letter in add(box, "y")])
        self.assertEqual(MAX_LETTERS, len(box.letters))

    def test_record(self) -> None:
        box = Outbox()
        add(box, "a")
        text = msgspec.json.encode(AlertRecord([], box.letters))
        letters = msgspec.json.decode(text, type=AlertRecord).letters
        self.assertEqual(["a"], ids(Outbox(letters, KEYS)))
        self.assertEqual(0, Outbox(letters, ["two"]).waiting("one"))
        self.assertEqual([], ids(Outbox(letters, ["other"])))
