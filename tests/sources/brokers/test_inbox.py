"""The inbox: the newest value of each stream, at a bounded rate, and acknowledgements."""

from __future__ import annotations

from twisted.internet.defer import fail

from streamd.core.errors import Refused
from streamd.core.values import BadValue
from streamd.sources.brokers.inbox import RATE, Inbox
from streamd.sources.incoming_texts import ROOM
from tests.support.source import SourceTestCase


class InboxTests(SourceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.done: list[object] = []
        self.inbox = Inbox(self.daemon.feed("a"), self.daemon.clock, whole=False)

    def put(self, end: str, value: object) -> None:
        self.inbox.put(end, value, lambda: self.done.append(value))

    def test_streams(self) -> None:
        self.put("", 1)
        self.put("b", {"x": 2, "é": 3})
        self.assertEqual({"a": 1, "a.b.x": 2, "a.b._": 3}, self.daemon.values())
        self.assertEqual([1, {"x": 2, "é": 3}], self.done)

    def test_a_flood(self) -> None:
        self.put("door", "shut")
        for number in range(1000):
            self.put(f"n{number % 3}", number)
        self.put("door", "open")
        self.assertEqual(ROOM, len(self.daemon.log))
        self.assertEqual(ROOM, len(self.done))
        self.daemon.clock.advance(1 / RATE)
        wanted = {"a.door": "open", "a.n0": 999, "a.n1": 997, "a.n2": 998}
        self.assertEqual(wanted, self.daemon.values())
        self.assertEqual(1002, len(self.done))
        self.daemon.clock.advance(10)
        for number in range(2 * ROOM):
            self.put("n0", -number)
        self.daemon.clock.advance(10)
        self.assertEqual(ROOM + 4 + ROOM + 1, len(self.daemon.log))

    def test_forgotten(self) -> None:
        for end in ("b", "b.c", "bc"):
            self.put(end, 1)
        self.inbox.forget("b")
        self.assertEqual({"a.bc": 1}, self.daemon.values())

    def test_forgotten_and_made_again_in_a_flood(self) -> None:
        for _ in range(ROOM):
            self.put("b.c", 1)
        self.put("b.d", 1)
        self.inbox.forget("b")
        self.put("b.c", 1)
        self.inbox.flush()
        self.assertEqual({"a.b.c": 1}, self.daemon.values())

    def test_a_bad_value_instead_of_an_object_fails_its_members_alone(self) -> None:
        self.put("b", {"x": 1, "y": 2})
        self.put("b.z", 3)
        self.put("b", BadValue("no"))
        self.assertEqual([("failed", "no")] * 2, [self.health("a.b.x"), self.health("a.b.y")])
        self.assertEqual(("fresh", None), self.health("a.b.z"))
        self.put("b", {"x": 1})
        self.assertEqual(("fresh", None), self.health("a.b.x"))
        self.put("b.z", BadValue("no"))
        self.assertEqual(("failed", "no"), self.health("a.b.z"))

    def test_all_below_fail(self) -> None:
        for end in ("b", "b.c", "c"):
            self.put(end, 1)
        self.inbox.fail("b", "gone")
        self.inbox.fail("x", "gone")
        self.assertEqual([("failed", "gone")] * 2, [self.health("a.b"), self.health("a.b.c")])
        self.assertEqual(("fresh", None), self.health("a.c"))

    def test_an_unstored_message_is_not_acknowledged(self) -> None:
        refusals: list[None] = []
        self.inbox.on_refused = lambda: refusals.append(None)
        self.daemon.journal.append = lambda *_, **__: fail(Refused(503, "away", "away"))  # type: ignore
        self.put("", 1)
        self.assertEqual(([], [None]), (self.done, refusals))

    def test_cleared(self) -> None:
        for number in range(ROOM + 1):
            self.put("", number)
        self.inbox.clear()
        self.daemon.clock.advance(10)
        self.assertEqual(ROOM, len(self.daemon.log))
        self.assertEqual([], self.daemon.clock.getDelayedCalls())
