"""Deliveries to one address: in order, tried again, given up after an hour."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from streamd.sources.alerts.delivery import MAX_RETRY, MIN_RETRY, AlertCounts, Delivery
from streamd.sources.alerts.message import Message
from streamd.sources.alerts.outbox import TRIES, Outbox
from streamd.sources.alerts.webhook import Unwanted
from streamd.sources.errors import SourceError
from streamd.sources.polling import RetryLater
from tests.support.fakes import Times


class FakeSender:
    """Keeps attempts until the test ends them."""

    def __init__(self) -> None:
        self.attempts: list[str] = []
        self.open: list[Deferred[None]] = []

    def send(self, message: Message) -> Deferred[None]:
        self.attempts.append(message["id"])
        self.open.append(Deferred())
        return self.open[-1]

    def end(self, error: Exception | None = None) -> None:
        sending = self.open.pop(0)
        if error is None:
            sending.callback(None)
        else:
            sending.errback(error)


class DeliveryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.times = Times()
        self.sender = FakeSender()
        self.counts = AlertCounts()
        self.box = Outbox()
        self.changes = 0
        self.delivery = Delivery(
            "key", "alerts.shop.to[0]", self.sender, self.counts, self.times.clock, self.times.now
        )

    def add(self, id: str) -> None:
        self.box.add({"id": id, "kind": "begin", "event": id}, self.times.now(), ["key"])

    def go(self) -> None:
        self.delivery.go(self.box, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def wait(self, seconds: float) -> None:
        """What an alert does every second, with a receiver that is down."""
        for _ in range(int(seconds)):
            self.times.clock.advance(1.0)
            self.go()
            if self.sender.open:
                self.sender.end(SourceError("the host does not accept connections"))

    def test_one_after_the_other(self) -> None:
        self.add("a")
        self.add("b")
        for _ in range(3):
            self.go()
        self.assertEqual(["a"], self.sender.attempts)
        self.sender.end()
        self.assertEqual(1, self.changes)
        self.go()
        self.sender.end()
        self.go()
        self.assertEqual(["a", "b"], self.sender.attempts)
        self.assertEqual((2, 0, 0), (self.counts.delivered, self.counts.failed, self.counts.lost))

    def test_receiver_that_is_down_for_ten_minutes(self) -> None:
        self.add("begin")
        self.wait(300)
        self.add("end")
        self.wait(300)
        self.assertEqual({"begin"}, set(self.sender.attempts))
        self.assertEqual("the host does not accept connections", self.delivery.error)
        self.assertTrue(10 <= len(self.sender.attempts) <= 20, self.sender.attempts)
        self.times.clock.advance(MAX_RETRY)
        for _ in range(2):
            self.go()
            self.sender.end()
        self.assertEqual(["begin", "end"], self.sender.attempts[-2:])
        self.assertIsNone(self.delivery.error)
        self.assertEqual([], self.box.letters)

    def test_pauses_grow_and_begin_anew(self) -> None:
        self.add("a")
        self.go()
        self.sender.end(SourceError("no"))
        self.times.clock.advance(MIN_RETRY - 1)
        self.go()
        self.assertEqual(1, len(self.sender.attempts))
        self.times.clock.advance(1)
        self.go()
        self.sender.end(SourceError("no"))
        self.times.clock.advance(MIN_RETRY)
        self.go()
        self.assertEqual(2, len(self.sender.attempts))
        self.times.clock.advance(MIN_RETRY)
        self.go()
        self.sender.end()
        self.assertEqual([], self.box.letters)

    def test_message_is_given_up_after_an_hour(self) -> None:
        self.add("a")
        with capturedLogs() as events:
            self.wait(TRIES - 10)
            self.add("b")
            self.wait(100)
        self.assertEqual(["b"], [letter.id for letter in self.box.letters])
        self.assertEqual(1, self.counts.lost)
        [line] = [formatEvent(e) for e in events if e["log_level"] is LogLevel.error]
        self.assertEqual(
            "alerts.shop.to[0]: the message a is lost: the host does not accept connections", line
        )

    def test_old_message_gets_an_attempt_after_a_restart(self) -> None:
        self.add("a")
        self.times.clock.advance(3 * TRIES)
        self.go()
        self.sender.end()
        self.assertEqual((["a"], 0), (self.sender.attempts, self.counts.lost))

    def test_message_that_is_unwanted_stops_no_other(self) -> None:
        self.add("a")
        self.add("b")
        self.go()
        self.sender.end(Unwanted("the answer was 400 Bad Request"))
        self.go()
        self.sender.end()
        self.assertEqual(["a", "b"], self.sender.attempts)
        self.assertEqual((1, 1), (self.counts.delivered, self.counts.lost))
        self.flushLoggedErrors()

    def test_receiver_that_asks_for_a_pause(self) -> None:
        self.add("a")
        self.go()
        later = RetryLater("the answer was 429 Too Many Requests")
        later.seconds = 300.0
        self.sender.end(later)
        self.times.clock.advance(299)
        self.go()
        self.assertEqual(1, len(self.sender.attempts))
        self.times.clock.advance(1)
        self.go()
        self.assertEqual(2, len(self.sender.attempts))

    def test_unexpected_error_tells_nothing_of_the_address(self) -> None:
        self.add("a")
        self.go()
        self.sender.end(ValueError("https://hooks.example.org/s3cret"))
        self.assertEqual("the delivery failed (ValueError)", self.delivery.error)

    def test_test_that_arrives_ends_the_pause(self) -> None:
        self.add("a")
        self.go()
        self.sender.end(SourceError("no"))
        tested = self.delivery.test({"id": "t"})
        self.sender.end()
        self.assertIsNone(self.successResultOf(tested))
        self.assertIsNone(self.delivery.error)
        self.go()
        self.assertEqual(["a", "t", "a"], self.sender.attempts)
        failed = self.delivery.test({"id": "t"})
        self.sender.open.pop().errback(SourceError("the answer was 404 Not Found"))
        self.assertEqual("the answer was 404 Not Found", self.successResultOf(failed))

    def test_stop(self) -> None:
        self.add("a")
        self.go()
        self.delivery.stop()
        self.assertEqual(["a"], [letter.id for letter in self.box.letters])
