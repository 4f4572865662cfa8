"""The messages of an alert, for programs and for people."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import Description
from streamd.core.limit import Limit
from streamd.core.state import State
from streamd.core.update import Draft
from streamd.sources.alerts.message import (
    MAX_ROWS,
    MAX_TEXT,
    Message,
    compose,
    compose_test,
)
from streamd.sources.alerts.watch import AlertEvent, Saying, ToldStream
from tests.support.fakes import TODAY, Daemonette, fail_source, value

HOUR = 3600.0
LINK = "https://wall.example.org/"
ORDERS = Description(title="Orders", unit="/min", critical=Limit("< 5"), warn=Limit("< 20"))


class MessageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = Daemonette({"shop.orders": ORDERS, "shop.till": Description(title="Till")})

    @property
    def state(self) -> State:
        return self.daemon.state

    def publish(self, name: str, said: Any) -> None:
        self.successResultOf(self.daemon.journal.append([Draft(name, value(said))]))

    def compose(self, kind: Any, link: str | None = LINK, **told: ToldStream) -> Message:
        streams = {name.replace("__", "."): one for name, one in told.items()}
        event = AlertEvent("e1", streams, 2, TODAY)
        return compose("shop", Saying(kind, event), self.state.get, TODAY + 2 * HOUR, link, UTC)

    def test_critical_value(self) -> None:
        self.publish("shop.orders", 3)
        said = self.compose("begin", shop__orders=ToldStream(TODAY + HOUR, "critical"))
        text = "Orders: 3 /min is critical since 06:40, with the limit < 5\n" + LINK
        row = {
            "stream": "shop.orders",
            "title": "Orders",
            "state": "critical",
            "was": "critical",
            "value": 3,
            "unit": "/min",
            "limit": "< 5",
            "since": TODAY + HOUR,
            "until": None,
            "reason": None,
        }
        self.assertEqual(
            {
                "id": "e1-2",
                "event": "e1",
                "alert": "shop",
                "kind": "begin",
                "time": TODAY + 2 * HOUR,
                "since": TODAY + HOUR,
                "title": "Orders (critical)",
                "text": text,
                "streams": [row],
                "more": 0,
                "link": LINK,
            },
            said,
        )

    def test_failed_source(self) -> None:
        fail_source(self.state, "shop", "the database does not answer", TODAY)
        said = self.compose("reminder", None, shop__till=ToldStream(TODAY + HOUR, "failed"))
        self.assertEqual("still Till (failed)", said["title"])
        self.assertEqual("Till has failed since 06:40: the database does not answer", said["text"])
        self.assertEqual("the database does not answer", said["streams"][0]["reason"])
        self.assertIsNone(said["link"])

    def test_late_stream(self) -> None:
        self.publish("shop.orders", 30)
        said = self.compose("begin", None, shop__orders=ToldStream(TODAY + HOUR, "late"))
        self.assertEqual("Orders is late since 06:40", said["text"])
        self.assertIsNone(said["streams"][0]["limit"])

    def test_warning(self) -> None:
        self.publish("shop.orders", 12.5)
        said = self.compose("begin", None, shop__orders=ToldStream(TODAY + HOUR, "warn"))
        self.assertEqual(
            "Orders: 12.5 /min is a warning since 06:40, with the limit < 20", said["text"]
        )

    def test_end(self) -> None:
        self.publish("shop.orders", 30)
        said = self.compose(
            "end",
            None,
            shop__orders=ToldStream(TODAY, "critical", TODAY + 1000),
            shop__till=ToldStream(TODAY, "failed", TODAY + 90),
        )
        self.assertEqual("over: Orders and 1 more (critical)", said["title"])
        self.assertEqual(
            [
                "Orders is 30 /min again; it was critical from 05:40 for 16 min 40 s",
                "Till is well again; it had failed from 05:40 for 1 min 30 s",
            ],
            said["text"].split("\n"),
        )
        self.assertEqual(["ok", "ok"], [row["state"] for row in said["streams"]])

    def test_forgotten_stream(self) -> None:
        said = self.compose("end", gone=ToldStream(TODAY, "failed", TODAY + 5))
        self.assertEqual("the stream was forgotten", said["streams"][0]["reason"])
        self.assertEqual("over: gone (failed)", said["title"])

    def test_part_of_an_event_that_is_over_is_in_no_reminder(self) -> None:
        self.publish("shop.orders", 1)
        said = self.compose(
            "reminder",
            shop__orders=ToldStream(TODAY, "critical"),
            shop__till=ToldStream(TODAY, "failed", TODAY + 5),
        )
        self.assertEqual(["shop.orders"], [row["stream"] for row in said["streams"]])

    def test_many_streams(self) -> None:
        told = {f"s{number:02}": ToldStream(TODAY, "failed") for number in range(MAX_ROWS + 3)}
        said = self.compose("begin", None, **told, z=ToldStream(TODAY, "critical"))
        self.assertEqual(MAX_ROWS, len(said["streams"]))
        self.assertEqual("z", said["streams"][0]["stream"])
        self.assertEqual(4, said["more"])
        self.assertEqual("and 4 more", said["text"].split("\n")[-1])
        self.assertEqual("z and 13 more (critical)", said["title"])

    def test_values(self) -> None:
        for said, shown in (
            ("open", "open"),
            (True, True),
            ({"a": 1}, None),
            ([1, 2], None),
            (None, None),
            (10**30, str(10**30)),
            ("x" * 1000, "x" * (MAX_TEXT - 1) + "…"),
        ):
            self.publish("a", said)
            message = self.compose("begin", a=ToldStream(TODAY, "critical"))
            self.assertEqual(shown, message["streams"][0]["value"])
            msgspec.json.encode(message)

    def test_words(self) -> None:
        self.daemon = Daemonette({"door": Description(words={"1": "open"}, critical=Limit("== 1"))})
        self.publish("door", 1)
        said = self.compose("begin", None, door=ToldStream(TODAY, "critical"))
        self.assertEqual("door: open is critical since 05:40, with the limit == 1", said["text"])

    def test_a_test(self) -> None:
        said = compose_test("shop", "t1", TODAY, LINK)
        self.assertEqual(("t1", "test", []), (said["id"], said["kind"], said["streams"]))
        self.assertEqual(self.compose("begin", a=ToldStream(TODAY, "late")).keys(), said.keys())
