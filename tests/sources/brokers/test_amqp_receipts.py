"""Receipts: a message is acknowledged only together with all before it."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.sources.brokers.amqp_receipts import Receipts


class FakeChannel:
    """Notes what is acknowledged."""

    is_open = True

    def __init__(self) -> None:
        self.told: list[int] = []

    def basic_ack(self, tag: int, multiple: bool) -> None:
        assert multiple
        self.told.append(tag)


class ReceiptsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.channel = FakeChannel()
        self.receipts = Receipts(self.clock)
        self.receipts.channel = self.channel

    def add(self, *tags: int) -> list[int]:
        for tag in tags:
            self.receipts.add(tag)
        self.clock.advance(0)
        return self.channel.told

    def test_one_word_for_many(self) -> None:
        self.assertEqual([3], self.add(1, 2, 3))
        self.assertEqual([3, 4], self.add(4))

    def test_no_receipt_skips_an_unstored_message(self) -> None:
        self.assertEqual([1], self.add(1, 3, 4))
        self.assertEqual([1], self.add(5))
        self.assertEqual([1, 5], self.add(2))

    def test_nothing_after_the_end(self) -> None:
        self.receipts.add(1)
        self.receipts.stop()
        self.assertEqual([], self.add(2))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_nothing_on_a_channel_that_is_closed(self) -> None:
        self.channel.is_open = False
        self.assertEqual([], self.add(1))
