"""The client for Redis: replies in the order of commands, messages beside them, and what goes wrong."""

from __future__ import annotations

import hiredis
import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from streamd.reactor.redis_client import MAX_REPLY, Broken, RedisConnection, RedisUrl, explain


class RedisConnectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.link = RedisConnection()
        self.transport = StringTransport()
        self.link.makeConnection(self.transport)

    def test_replies_come_in_the_order_of_commands(self) -> None:
        first, second = self.link.say("GET", "a"), self.link.say("GET", "b")
        self.link.dataReceived(b"+one\r\n:2\r")
        self.assertEqual(b"one", self.successResultOf(first))
        self.assertNoResult(second)
        self.link.dataReceived(b"\n")
        self.assertEqual(2, self.successResultOf(second))

    def test_an_error_reply_is_a_failure_of_its_command(self) -> None:
        first, second = self.link.say("NO"), self.link.say("PING")
        self.link.dataReceived(b"-ERR unknown command\r\n+PONG\r\n")
        self.failureResultOf(first, hiredis.ReplyError)
        self.assertEqual(b"PONG", self.successResultOf(second))

    def test_the_late_reply_of_a_cancelled_command_is_dropped(self) -> None:
        first, second = self.link.say("GET", "a"), self.link.say("GET", "b")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.link.dataReceived(b"+one\r\n+two\r\n")
        self.assertEqual(b"two", self.successResultOf(second))

    def test_messages_are_no_replies(self) -> None:
        heard: list[bytes] = []
        self.link.on_message = heard.append
        subscribed, pinged = self.link.say("SUBSCRIBE", "jobs"), self.link.say("PING")
        self.link.dataReceived(b"*3\r\n$9\r\nsubscribe\r\n$4\r\njobs\r\n:1\r\n")
        self.link.dataReceived(b"*3\r\n$7\r\nmessage\r\n$4\r\njobs\r\n$1\r\n1\r\n")
        self.assertEqual([b"subscribe", b"jobs", 1], self.successResultOf(subscribed))
        self.assertNoResult(pinged)
        self.link.dataReceived(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n")
        self.successResultOf(pinged)
        self.link.dataReceived(b"*4\r\n$8\r\npmessage\r\n$2\r\nj*\r\n$4\r\njobs\r\n$1\r\n2\r\n")
        self.assertEqual([b"1", b"2"], heard)

    def test_a_reply_without_a_command_is_not_redis(self) -> None:
        self.link.dataReceived(b"+hello\r\n")
        self.assertTrue(self.transport.disconnecting or self.transport.disconnected)
        broken = self.failureResultOf(self.link.say("PING"), Broken)
        self.assertEqual("what answers is not Redis", explain(broken.value))

    def test_what_is_no_protocol_is_not_redis(self) -> None:
        asked = self.link.say("PING")
        self.link.dataReceived(b"HTTP/1.1 400 Bad Request\r\n")
        self.assertEqual(
            "what answers is not Redis", explain(self.failureResultOf(asked, Broken).value)
        )

    def test_unreadable_bytes_are_not_redis(self) -> None:
        for data in (b"$99999999999999999999\r\n", b"%1\r\n*0\r\n+a\r\n"):
            self.setUp()
            asked = self.link.say("PING")
            self.link.dataReceived(data)
            self.assertEqual(
                "what answers is not Redis", explain(self.failureResultOf(asked, Broken).value)
            )

    def test_a_reply_that_does_not_end_is_not_kept(self) -> None:
        for begin in (b"$999999999\r\n", b"+", b"*999999\r\n$70000000\r\n"):
            self.setUp()
            asked = self.link.say("PING")
            self.link.dataReceived(begin)
            part = b"x" * 2**20
            for _ in range(MAX_REPLY // 2**20 - 1):
                self.link.dataReceived(part)
            self.assertNoResult(asked)
            self.link.dataReceived(part)
            self.assertEqual(
                "a reply of Redis is too long", explain(self.failureResultOf(asked, Broken).value)
            )
            self.link.dataReceived(part)

    def test_many_replies_are_not_one_long_reply(self) -> None:
        for _ in range(MAX_REPLY // 2**20 + 2):
            asked = self.link.say("GET", "a")
            self.link.dataReceived(b"$1048576\r\n" + b"x" * 2**20 + b"\r\n")
            self.successResultOf(asked)

    def test_an_end_fails_what_waits_and_what_follows(self) -> None:
        ends: list[None] = []
        self.link.on_lost = lambda: ends.append(None)
        asked = self.link.say("PING")
        self.link.connectionLost()
        for each in (asked, self.link.say("PING")):
            why = explain(self.failureResultOf(each, Broken).value)
            self.assertEqual("Redis closed the connection", why)
        self.assertEqual([None], ends)


class ExplainTests(SynchronousTestCase):
    def test_refusals_that_end_by_themselves_have_words_for_a_wall(self) -> None:
        loading = hiredis.ReplyError("LOADING Redis is loading the dataset in memory")
        self.assertEqual("Redis is starting", explain(loading))
        self.assertEqual("Redis: WRONGPASS no", explain(hiredis.ReplyError("WRONGPASS no")))

    def test_other_errors_are_not_explained(self) -> None:
        self.assertIsNone(explain(ValueError("something else")))


@pytest.mark.parametrize("written", ["redis://[s3cret", "redis://h:s3cret", "redis://h/s3cret", 7])
def test_invalid_url(written: object) -> None:
    with pytest.raises(ValueError, match="expected a URL such as") as caught:
        RedisUrl.parse(written)
    assert "s3cret" not in str(caught.value)


def test_url_without_its_password() -> None:
    for written, shown in (
        ("redis://localhost", "redis://localhost:6379/0"),
        ("rediss://wall:s3cret@[::1]:1/2", "rediss://wall:…@[::1]:1/2"),
        ("redis://:s3cret@h", "redis://:…@h:6379/0"),
        ("redis://wall@h", "redis://wall@h:6379/0"),
    ):
        assert str(RedisUrl.parse(written)) == shown


def test_urls_of_one_place_are_equal() -> None:
    assert RedisUrl.parse("redis://localhost") == RedisUrl.parse("redis://localhost:6379/0")
