"""An alert as the source of its stream: records, messages, mutes, and a journal that is away."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail, succeed

from streamd.config.alerts import AlertTable
from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Surroundings
from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.limit import Limit
from streamd.core.reconfiguration import set_private
from streamd.core.update import Draft
from streamd.journals.journal import Away
from streamd.sources.alerts.alert import (
    ALERT,
    ALERTS,
    AlertControl,
    AlertSettings,
    AlertSource,
)
from streamd.sources.alerts.message import Message
from streamd.sources.errors import SourceError
from tests.support.fakes import Daemonette, value
from tests.support.source import SourceTestCase

ORDERS = Description(title="Orders", critical=Limit("< 5"))


class FakeReceiver:
    """Takes messages, unless it is down or slow."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.error: str | None = None
        self.held: Deferred[None] | None = None

    def send(self, message: Message) -> Deferred[None]:
        if self.error is not None:
            return fail(SourceError(self.error))
        self.messages.append(message)
        return succeed(None) if self.held is None else self.held

    @property
    def kinds(self) -> list[str]:
        return [message["kind"] for message in self.messages]


class AlertTests(SourceTestCase):
    def setUp(self) -> None:
        self.make({"shop.orders": ORDERS})
        self.receiver = FakeReceiver()

    def start(self, **keys: Any) -> AlertSource:
        keys = {"streams": ("*",), "to": (Secret(text="x"),), "lasting": Duration(5), **keys}
        alert = AlertSource(
            "alerts.shop",
            AlertSettings(table=AlertTable(**keys)),
            {"key": self.receiver},
            Surroundings(self.daemon.clock, None, self.daemon.times.now),  # type: ignore[arg-type]
        )
        alert.start(self.daemon.feed("alerts.shop"))
        self.addCleanup(alert.stop)
        return alert

    def publish(self, said: Any, name: str = "shop.orders") -> None:
        self.successResultOf(self.daemon.journal.append([Draft(name, value(said))]))

    def wait(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            self.daemon.clock.advance(1.0)
            self.daemon.judge()
            self.daemon.clock.advance(0)

    def record(self) -> bytes:
        records = self.successResultOf(self.daemon.journal.records(ALERTS))
        return records.get("alerts.shop", b"")

    def text(self) -> Any:
        return self.daemon.values().get("alerts.shop")

    def test_an_event(self) -> None:
        alert = self.start()
        self.assertEqual("quiet", self.text())
        self.publish(3)
        self.wait(20)
        self.assertEqual(["begin"], self.receiver.kinds)
        self.assertEqual("Orders", self.text())
        self.publish(30)
        self.wait(20)
        self.assertEqual(["begin", "end"], self.receiver.kinds)
        self.assertEqual("quiet", self.text())
        ids = [message["id"] for message in self.receiver.messages]
        self.assertEqual(2, len(set(ids)))
        self.assertEqual(1, len({message["event"] for message in self.receiver.messages}))
        counts = alert.counts
        self.assertEqual(
            (1, 1, 2, 0), (counts.begun, counts.ended, counts.delivered, alert.waiting)
        )

    def test_where_not_everybody_may_read_it_names_no_stream(self) -> None:
        self.start()
        self.publish(3)
        self.wait(20)
        for private, text in ((True, "1 stream"), (False, "Orders")):
            set_private(self.daemon.state, private)
            self.wait()
            self.assertEqual(text, self.text())
        self.assertIn("Orders", self.receiver.messages[0]["title"])

    def test_message_is_recorded_before_it_is_sent_and_until_it_was_taken(self) -> None:
        self.receiver.held = Deferred()
        self.start()
        self.publish(3)
        self.wait(20)
        [message] = self.receiver.messages
        self.assertIn(message["id"].encode(), self.record())
        self.receiver.held.callback(None)
        self.wait()
        self.assertNotIn(message["id"].encode(), self.record())
        self.assertIn(message["event"].encode(), self.record())

    def test_process_that_is_killed_before_the_delivery(self) -> None:
        self.receiver.error = "the host does not accept connections"
        killed = self.start()
        self.publish(3)
        self.wait(20)
        killed._timer.stop()  # nothing of it runs any more
        self.receiver.error = None
        self.start()
        self.wait(20)
        self.assertEqual(["begin"], self.receiver.kinds)
        self.assertIn(self.receiver.messages[0]["event"].encode(), self.record())
        self.publish(30)
        self.wait(20)
        self.assertEqual(["begin", "end"], self.receiver.kinds)

    def test_process_that_is_killed_between_delivery_and_record_repeats_the_id(self) -> None:
        self.receiver.held = Deferred()
        killed = self.start()
        self.publish(3)
        self.wait(20)
        killed._timer.stop()
        self.receiver.held = None
        self.start()
        self.wait(20)
        first, second = self.receiver.messages
        self.assertEqual(first, second)

    def test_receiver_that_is_down_is_reported_on_the_wall_and_in_the_log(self) -> None:
        self.receiver.error = "the host does not accept connections"
        alert = self.start()
        self.publish(3)
        self.wait(20)
        why = "to[0]: the host does not accept connections"
        self.assertEqual(("failed", why), self.health("alerts.shop"))
        [line] = self.lines()
        self.assertIn(why, line)
        self.assertEqual(1, alert.waiting)
        self.publish(30)
        self.wait(600)
        self.receiver.error = None
        self.wait(61)
        self.assertEqual(["begin", "end"], self.receiver.kinds)
        self.assertEqual(("fresh", None), self.health("alerts.shop"))
        self.assertGreater(alert.counts.failed, 5)

    def test_mute(self) -> None:
        alert = self.start()
        control = AlertControl(alert, self.daemon.journal, self.daemon.times.now)
        until = self.successResultOf(control.mute(100.0))
        self.assertEqual(self.daemon.times.now() + 100, until)
        self.publish(3)
        self.wait(50)
        self.assertIn("quiet, muted until ", self.text())
        self.assertEqual([], self.receiver.kinds)
        self.successResultOf(control.mute(0.0))
        self.wait(20)
        self.assertEqual(["begin"], self.receiver.kinds)
        self.assertEqual("Orders", self.text())

    def test_mute_ends_by_itself(self) -> None:
        alert = self.start()
        control = AlertControl(alert, self.daemon.journal, self.daemon.times.now)
        self.successResultOf(control.mute(100.0))
        self.publish(3)
        self.wait(120)
        self.assertEqual(["begin"], self.receiver.kinds)

    def test_a_test(self) -> None:
        alert = self.start()
        entry = {"to": "alerts.shop.to[0]", "error": None}
        self.assertEqual([entry], self.successResultOf(alert.test()))
        self.assertEqual(["test"], self.receiver.kinds)
        self.receiver.error = "no answer within 10 s"
        entry["error"] = self.receiver.error
        self.assertEqual([entry], self.successResultOf(alert.test()))

    def test_what_an_alert_watches(self) -> None:
        self.receiver.error = "no"
        self.start(when=("failed",), streams=("*",))
        self.publish(3)
        self.wait(60)
        self.assertEqual(0, len(self.receiver.messages))
        self.daemon.feed("other").put({"a": float("nan")})
        self.wait(20)
        self.receiver.error = None
        self.wait(20)
        [message] = self.receiver.messages
        self.assertEqual(["other"], [row["stream"] for row in message["streams"]])

    def test_names_and_globs(self) -> None:
        self.start(streams=("web.*",))
        self.publish(3)
        self.wait(20)
        self.assertEqual([], self.receiver.messages)

    def test_many_streams(self) -> None:
        self.daemon = Daemonette({"a": ORDERS, "b": ORDERS})
        self.start()
        self.publish(1, "a")
        self.publish(1, "b")
        self.wait(20)
        self.assertEqual(["begin"], self.receiver.kinds)
        self.assertEqual("2 streams", self.text())

    def test_local_journal_that_is_away_stops_no_message(self) -> None:
        self.start()
        self.publish(3)
        with patch.object(self.daemon.journal, "put", lambda *_: fail(Away("the disk is full"))):
            self.wait(20)
        self.assertEqual(["begin"], self.receiver.kinds)
        self.wait()
        self.assertIn(self.receiver.messages[0]["event"].encode(), self.record())

    def test_shared_journal_that_is_away_delays_messages(self) -> None:
        self.start()
        self.publish(3)
        journal = self.daemon.journal
        with (
            patch.object(type(journal), "shared", True),
            patch.object(journal, "put", lambda *_: fail(Away("Redis does not answer"))),
        ):
            self.wait(20)
            self.assertEqual([], self.receiver.kinds)
        self.wait()
        self.assertEqual(["begin"], self.receiver.kinds)

    def test_journal_in_memory_tells_anew_what_holds_at_the_start(self) -> None:
        for _ in range(2):
            self.make({"shop.orders": ORDERS})
            self.start()
            self.publish(3)
            self.wait(20)
        first, second = self.receiver.messages
        self.assertEqual(["begin", "begin"], self.receiver.kinds)
        self.assertNotEqual(first["event"], second["event"])

    def test_new_log_gets_the_record_again(self) -> None:
        self.start()
        self.publish(3)
        self.wait(20)
        record = self.record()
        self.successResultOf(self.daemon.journal.put(ALERTS, "alerts.shop", b"", 0))
        self.daemon.state.life += 1
        self.wait()
        self.assertEqual(record, self.record())
        self.assertEqual(["begin"], self.receiver.kinds)


class MakingTests(SourceTestCase):
    def problems(self, *to: Secret) -> list[str]:
        table = AlertTable(streams=("*",), to=to)
        here = Surroundings(self.daemon.clock, None)  # type: ignore[arg-type]
        error: ConfigError = self.assertRaises(
            ConfigError, ALERT.make, "alerts.shop", AlertSettings(table=table), here
        )
        return error.problems

    def test_each_address_that_cannot_be_used_is_named(self) -> None:
        same = Secret(text="http://127.0.0.1:1/s3cret")
        lines = self.problems(Secret(env="NO_SUCH_ADDRESS"), Secret(text="s3cret"), same, same)
        self.assertEqual(
            ["alerts.shop.to[0]", "alerts.shop.to[1]", "alerts.shop.to[3]"],
            [line.partition(":")[0] for line in lines],
        )
        self.assertNotIn("s3cret", "".join(lines))
