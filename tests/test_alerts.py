"""Alerts of a real daemon at a real receiver: outages and kills."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from twisted.internet.task import Clock

from streamd.app.defaults import source_tables
from streamd.config.kind import Surroundings
from streamd.config.parse import parse
from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.limit import Limit
from streamd.core.update import Draft
from streamd.sources.alerts.apprise_sender import make_apprise_sender
from streamd.sources.alerts.message import compose, compose_test
from streamd.sources.alerts.watch import AlertEvent, Saying, ToldStream
from streamd.sources.registry import find_kinds
from tests.support.daemon import CHECKOUT, Daemon, Server, StartDaemon
from tests.support.fakes import Daemonette
from tests.support.net import free_port, wait_until
from tests.support.receiver import Receiver, faults, receiving
from tests.support.streams import Streams

PATIENCE = 60.0

CONFIG = """
[access]
publish = "loopback"
[streams.shop]
title = "Orders"
critical = "< 5"
[streams.crosses]
critical = "> 1"
[sources.flaps]
database = "sqlite:///{folder}/flaps.db"
query = "SELECT n FROM flapping"
whole = true
every = "200ms"
[alerts.shop]
streams = ["shop"]
for = "2s"
to = [{{ env = "ALERT_URL" }}]
[alerts.others]
streams = ["flaps", "crosses"]
for = "2s"
to = [{{ env = "ALERT_URL" }}]
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as up:
        yield up


def publish(daemon: Daemon, stream: str, said: Any) -> None:
    headers = {"Content-Type": "application/json"}
    answer = daemon.request("POST", f"/streams/{stream}", json.dumps(said), headers)
    assert answer.status == 201, answer.text


def eventually(question: Callable[[], Any], what: str) -> Any:
    return wait_until(question, PATIENCE, what)


def test_each_event_arrives_once_whatever_happens_in_between(
    start_daemon: StartDaemon, receiver: Receiver, tmp_path: Path
) -> None:
    """The receiver is down when an event begins, and the daemon is killed before the delivery.

    Meanwhile a source fails and works in turns, and a value crosses its limit and comes back.  On a
    busy machine that may take long enough to be an event of its own; that event has to end, too.
    """
    receiver.down()
    text = CONFIG.format(folder=tmp_path) + '[journal]\npath = "log.db"\n'
    with closing(sqlite3.connect(tmp_path / "flaps.db", isolation_level=None)) as rows:
        rows.execute("CREATE TABLE flapping AS SELECT 1 AS n")
        daemon = start_daemon(config=text, env={"ALERT_URL": receiver.url})
        streams = Streams(daemon)
        names, turns = ("flapping", "stopped"), 0

        def flap() -> None:
            """Let the source fail once it works, and work once it has failed: in a second or so."""
            nonlocal names, turns
            if streams.health("flaps")[0] == {"flapping": "fresh", "stopped": "failed"}[names[0]]:
                rows.execute(f"ALTER TABLE {names[0]} RENAME TO {names[1]}")
                names, turns = (names[1], names[0]), turns + 1
                publish(daemon, "crosses", 2 if names[0] == "stopped" else 1)

        def of_shop() -> list[Any]:
            return [message for message in receiver.messages if message["alert"] == "shop"]

        def while_it_flaps(question: Callable[[], Any], what: str) -> None:
            def asked() -> Any:
                flap()
                return question()

            eventually(asked, what)

        publish(daemon, "shop", 3)

        def failed() -> bool:
            return streams.health("alerts.shop")[0] == "failed"

        while_it_flaps(failed, "an alert that cannot be delivered")
        assert streams.health("alerts.shop")[1] == "to[0]: the host does not accept connections"
        daemon.kill()
        receiver.up()
        daemon.start()
        while_it_flaps(of_shop, "the begin of the event")
        publish(daemon, "shop", 30)
        while_it_flaps(lambda: len(of_shop()) == 2, "the end of the event")
        while_it_flaps(lambda: names[0] == "flapping", "a source that works")
        publish(daemon, "crosses", 1)
        for alert in ("alerts.shop", "alerts.others"):
            streams.expect(alert, "quiet", PATIENCE)
    assert turns > 4
    begin, end = of_shop()
    assert (begin["kind"], end["kind"], end["event"]) == ("begin", "end", begin["event"])
    assert (begin["title"], end["title"]) == ("Orders (critical)", "over: Orders (critical)")
    assert faults(receiver.messages) == []
    assert receiver.keys == [message["id"] for message in receiver.messages]
    log = daemon.log()
    assert "alerts.shop: to[0]: the host does not accept connections" in log
    assert "s3cret-part" not in log


# -- docs/alerts.rst -------------------------------------------------------------------------------

PAGE = (CHECKOUT / "docs" / "alerts.rst").read_text()


def blocks(language: str) -> list[str]:
    form = rf"^\.\. code-block:: {language}\n\n((?:(?:    .*)?\n)+)"
    return [dedent(block).strip() for block in re.findall(form, PAGE, re.MULTILINE)]


def test_examples_of_the_configuration() -> None:
    alert, wall, mail = blocks("toml")
    config = parse(alert, find_kinds())
    table = config.alerts["shop"]
    assert source_tables(config)["alerts.shop"].settings.link == "https://wall.example.org/"
    assert (table.lasting, table.remind) == (Duration(120), Duration(14400))
    assert parse(wall, find_kinds()).walls[0].name == "office"
    assert [secret.env for secret in parse(mail, find_kinds()).alerts["shop"].to] == ["CHAT", None]


def test_message_is_the_one_of_the_page() -> None:
    [text] = blocks("json")
    described = json.loads(text)
    daemon = Daemonette(
        {"shop.orders": Description(title="Orders", unit="/min", critical=Limit("< 5"))}
    )
    daemon.journal.append([Draft("shop.orders", b"3")])
    told = {"shop.orders": ToldStream(described["since"], "critical")}
    event = AlertEvent(described["event"], told, 1, 0.0)
    link = described["link"]
    now = described["time"]
    made = compose("shop", Saying("begin", event), daemon.state.get, now, link, UTC)
    assert made == described
    members = re.findall(
        r"^``(\w+)`` +\S", PAGE[PAGE.index("member       meaning") :], re.MULTILINE
    )
    assert set(members) == {*described}


def test_apprise_knows_the_addresses() -> None:
    addresses = re.findall(r"``((?:slack|mmosts|ntfys|mailtos)://\S+)``", PAGE)
    assert len(addresses) == 5
    for address in addresses:
        make_apprise_sender("to[0]", address, Surroundings(Clock(), Path()))


def test_example_of_a_receiver(tmp_path: Path) -> None:
    port = free_port()
    example = CHECKOUT / "examples" / "alerts" / "receiver.py"
    program = Server([sys.executable, example, str(port)], port, tmp_path)
    assert "python3 examples/alerts/receiver.py 8099" in PAGE
    program.start()
    message = compose_test("shop", "t1", 0.0, None)
    for _ in range(2):
        assert program.request("POST", "/", json.dumps(message)).status == 204
    wait_until(lambda: "nothing needs attention" in program.log(), 40)
    program.finish()
    assert program.log().count("a test of the alert shop") == 1


def test_tests_of_the_command_run_the_same_lines() -> None:
    for line in ("alert test shop", "mute shop --for 2h", "mute shop --off"):
        assert f"    streamd {line}\n" in PAGE
        words = ", ".join(f'"{word}"' for word in line.split())
        tests = [
            (CHECKOUT / f"tests/app/cli/test_{name}.py").read_text() for name in ("alert", "mute")
        ]
        assert any(f"run({words}" in text for text in tests)
