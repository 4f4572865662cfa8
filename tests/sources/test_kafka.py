"""A Kafka on every viewer: records, keys, exactly once, and its bad days."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from streamd.config.extras import needs_extra
from streamd.config.parse import parse
from streamd.sources.brokers.kafka_client import KafkaReader
from streamd.sources.kafka import KIND
from tests.support.daemon import StartDaemon
from tests.support.kafka import Kafka
from tests.support.net import wait_until
from tests.support.redis import Redis
from tests.support.served import Serve, in_thread
from tests.support.sources_page import pasted
from tests.support.streams import Streams, mistake

AWAY = ("Kafka cannot be reached", "Kafka does not answer")


def config(brokers: str, **sources: str) -> str:
    """A source a keyword: the lines that follow its url."""
    tables = [
        f'[sources.{name}]\nurl = "kafka://{brokers}"\n{lines}' for name, lines in sources.items()
    ]
    return "\n".join([*tables, ""])


@in_thread
def test_records_become_updates(serve: Serve, kafka: Kafka) -> None:
    kafka.make("sales", 2)
    before = time.time()
    for number in range(103):
        kafka.say("sales", number)
    kafka.say("sales", '{"room": "a", "load": 1}', key="web 1", partition=1)
    streams = Streams(
        serve(
            config(
                kafka.brokers,
                new='topic = "sales"',
                old='topic = "sales"\nbegin = "oldest"',
                key='topic = "sales"\nkey = true',
                whole='topic = "sales"\nwhole = true\nkey = true',
                pick='topic = "sales"\npick = "/load"',
            )
            + "[streams]\nnew.keep = 5\nold.keep = 1000\n"
        )
    )
    streams.expect("new", 102)
    streams.expect("new.load", 1)
    assert streams.history("new") == [*range(98, 103)]
    streams.expect("old", 102)
    assert streams.history("old") == [*range(103)]
    assert before - 1 < streams.all()["old"]["time"] < time.time() + 1
    streams.expect("key.web_1.load", 1)
    streams.expect("whole.web_1", {"room": "a", "load": 1})
    assert "nothing at /load" in (streams.expect_health("pick", "failed") or "")
    kafka.say("sales", "103", "103")
    streams.expect("old", 103)
    wait_until(lambda: streams.history("old")[-2:] == [103, 103])
    assert streams.health("old") == ("fresh", None)


@in_thread
def test_tombstones_and_values_that_are_none(serve: Serve, kafka: Kafka) -> None:
    kafka.make("rooms")
    streams = Streams(serve(config(kafka.brokers, r='topic = "rooms"\nkey = true')))
    kafka.say("rooms", '{"x": 1, "y": 2}', key="a")
    kafka.say("rooms", '{"x": 1}', key="b")
    kafka.say("rooms", 5, None, 6, key="c")
    kafka.say("rooms", 7, None, key="d")
    streams.expect("r.c", 6)
    kafka.say("rooms", None, None, key="a")
    wait_until(lambda: streams.all().keys() == {"r.b.x", "r.c"})
    kafka.say("rooms", b"\xff", key="c")
    assert "neither JSON nor UTF-8" in (streams.expect_health("r.c", "failed") or "")
    assert streams.health("r.b.x") == ("fresh", None)
    kafka.say("rooms", "x" * 70_000, 8, key="c")
    streams.expect("r.c", 8)
    assert streams.health("r.c") == ("fresh", None)


@in_thread
def test_a_flood_loses_nothing_and_delays_no_other(serve: Serve, kafka: Kafka) -> None:
    kafka.make("flood", 3)
    text = config(kafka.brokers, f='topic = "flood"\nkey = true\nbegin = "oldest"')
    streams = Streams(
        serve(f'{text}[sources.r]\nkind = "random_walk"\n[streams]\nf.a.keep = 9999\n')
    )
    kafka.say("flood", *range(5000), key="a")
    kafka.say("flood", "end", key="b", partition=1)
    streams.expect("f.a", 4999)
    streams.expect("f.b", "end")
    assert streams.history("f.a")[-1000:] == [*range(4000, 5000)]
    assert streams.health("r") == ("fresh", None)


@in_thread
def test_killed_it_reads_on_exactly_once(
    start_daemon: StartDaemon, kafka: Kafka, redis: Redis
) -> None:
    kafka.make("sales", 2)
    text = config(kafka.brokers, a='topic = "sales"\nbegin = "oldest"')
    text += f'[journal]\nurl = "redis://127.0.0.1:{redis.port}"\n[streams.a]\nkeep = 5000\n'
    one, two = start_daemon(config=text), start_daemon(config=text)
    kafka.say("sales", *range(0, 600, 2))
    kafka.say("sales", *range(1, 600, 2), partition=1)
    streams = Streams(two)
    wait_until(lambda: streams.history("a"))
    one.kill()  # whichever node reads, in the middle or not
    one.start()
    two.kill()
    kafka.say("sales", *range(600, 700))
    streams = Streams(one)
    wait_until(lambda: len(streams.history("a")) >= 700)
    assert sorted(streams.history("a")) == [*range(700)]
    streams.expect_health("a", "fresh")


def test_a_reader_has_caught_up_at_the_last_record_that_was_there(kafka: Kafka) -> None:
    kafka.make("sales", 2)
    kafka.say("sales", *range(1500))
    kafka.say("sales", *range(10), partition=1)
    reader = KafkaReader({"bootstrap.servers": kafka.brokers}, "sales")
    reader.open(None, None)
    read = 0
    while not reader.caught_up:
        read += len(reader.read())
    reader.close()
    assert (read, reader.next) == (1510, {0: 1500, 1: 10})


@in_thread
def test_after_a_restart_old_values_are_proved(
    start_daemon: StartDaemon, kafka: Kafka, tmp_path: Path
) -> None:
    kafka.make("rooms")
    text = config(kafka.brokers, a='topic = "rooms"\nkey = true')
    daemon = start_daemon(config=f'{text}[journal]\npath = "{tmp_path}/log.db"\n')
    kafka.say("rooms", 1, key="x")
    streams = Streams(daemon)
    streams.expect("a.x", 1)
    daemon.stop()
    daemon.start()
    streams.expect_health("a.x", "fresh")


@in_thread
def test_records_that_were_deleted_before_they_were_read(
    start_daemon: StartDaemon, kafka: Kafka, tmp_path: Path
) -> None:
    kafka.make("sales")
    text = config(kafka.brokers, a='topic = "sales"')
    daemon = start_daemon(config=f'{text}[journal]\npath = "{tmp_path}/log.db"\n')
    kafka.say("sales", 1, '{"x": 1}')
    streams = Streams(daemon)
    streams.expect("a.x", 1)
    daemon.stop()
    kafka.say("sales", *["x" * 60_000] * 120)  # the brokers keep 5 MiB
    daemon.start()
    streams.expect_gap("a.x")
    streams.expect("a", "x" * 60_000)
    kafka.say("sales", '{"x": 2}')
    streams.expect("a.x", 2)
    assert streams.health("a.x") == ("fresh", None)


@pytest.mark.patience(120)
@pytest.mark.parametrize("day", ["stop", "freeze"])
@in_thread
def test_bad_days(serve: Serve, kafka: Kafka, day: str) -> None:
    kafka.make("sales")
    text = config(kafka.brokers, a='topic = "sales"') + "[streams.a]\nkeep = 1000\n"
    streams = Streams(serve(f'{text}[sources.r]\nkind = "random_walk"\n'))
    kafka.say("sales", 1)
    streams.expect("a", 1)
    kafka.stop() if day == "stop" else kafka.freeze()
    error = streams.expect_health("a", "failed", 20)
    assert error in AWAY
    assert streams.health("r") == ("fresh", None)
    kafka.start() if day == "stop" else kafka.thaw()
    streams.expect_health("a", "fresh", 20)
    kafka.say("sales", 2, 3)
    streams.expect("a", 3)
    assert streams.history("a") == [1, 2, 3]


@in_thread
def test_killed(serve: Serve, kafka: Kafka) -> None:
    kafka.make("sales")
    streams = Streams(serve(config(kafka.brokers, a='topic = "sales"')))
    kafka.say("sales", 1)
    streams.expect("a", 1)
    kafka.kill()
    assert streams.expect_health("a", "failed", 20) in AWAY


@in_thread
def test_errors(serve: Serve, kafka: Kafka) -> None:
    login = '{ "security.protocol" = "SASL_PLAINTEXT", "sasl.mechanism" = "PLAIN", '
    login += '"sasl.username" = "wall", "sasl.password" = "s3cret" }'
    streams = Streams(
        serve(
            config(
                kafka.brokers,
                tls='topic = "a"\noptions = { "security.protocol" = "SSL" }',
                login=f'topic = "a"\noptions = {login}',
            )
            + config("no-such-host.invalid", host='topic = "a"')
        )
    )
    told = {name: streams.expect_health(name, "failed") for name in ("tls", "login", "host")}
    assert all((error or "").startswith(("Kafka", "TLS", "the host")) for error in told.values()), (
        told
    )
    assert "s3cret" not in str(streams.all())


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("", "sources.a.topic: is missing"),
        ('topic = "^a"', "sources.a.topic: expected the name of one topic"),
        (
            'topic = "a"\noptions = { "plugin.library.paths" = "x" }',
            "sources.a.options.plugin.library.paths: expected one of broker.address.family",
        ),
        (
            'topic = "a"\noptions = { "isolation.level" = "none" }',
            "sources.a.options: ",
        ),
        (
            'topic = "a"\noptions = { "sasl.password" = { env = "NO_SUCH" } }',
            "sources.a.options.sasl.password: the environment variable",
        ),
    ],
)
def test_mistakes(lines: str, problem: str) -> None:
    assert mistake(config("h", a=lines)).startswith(problem)


@pytest.mark.parametrize("url", ["kafka://", "kafka://a:x", "kafka://a/b", "kafka://u:p@a"])
def test_mistakes_in_urls(url: str) -> None:
    assert mistake(f'[sources.a]\nkind = "kafka"\nurl = "{url}"\ntopic = "a"').startswith(
        "sources.a.url: expected "
    )


def test_urls() -> None:
    settings = parse(config("one,two:93,[::1]", a='topic = "a"'), [KIND]).sources["a"].settings
    assert settings.url.brokers == "one:9092,two:93,[::1]:9092"


def test_a_driver_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    wanted = f"sources.a.url: {needs_extra('Kafka', 'confluent-kafka', 'kafka')}"
    assert mistake(config("h", a='topic = "a"')) == wanted


@in_thread
def test_the_configuration_of_the_documentation(start_daemon: StartDaemon, kafka: Kafka) -> None:
    kafka.make("sales")
    kafka.make("rooms")
    text = pasted("kafka").replace("localhost:9092", kafka.brokers)
    streams = Streams(start_daemon(config=text, env={"KAFKA_PASSWORD": "s3cret"}))
    kafka.say("sales", '{"product": "Tea", "amount": 2.8}')
    kafka.say("rooms", '{"temperature": 20.5}', key="hall")
    streams.expect("sales", 2.8)
    streams.expect("rooms.hall.temperature", 20.5)
    streams.expect_health("far", "failed")  # that one is nowhere
