"""A real AMQP broker on every viewer: queues, exchanges, routing keys, bad days."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Thread

import pytest

from streamd.config.extras import needs_extra
from streamd.config.parse import parse
from streamd.sources.amqp import KIND
from streamd.sources.brokers.amqp_client import MAX_WAITING, PREFETCH
from tests.support.certificate import make_chain
from tests.support.daemon import TWISTD, StartDaemon
from tests.support.net import free_port, wait_until
from tests.support.rabbitmq import RabbitMQ, publish, run
from tests.support.redis import Redis
from tests.support.served import Serve, in_thread
from tests.support.sources_page import pasted
from tests.support.streams import Streams, mistake


def config(port: int, **sources: str) -> str:
    """A source a keyword: the lines that follow its url."""
    tables = [
        f'[sources.{name}]\nurl = "amqp://127.0.0.1:{port}"\n{lines}'
        for name, lines in sources.items()
    ]
    return "\n".join([*tables, ""])


def reach(rabbitmq: RabbitMQ, streams: Streams, *names: str) -> None:
    """Publishes 0 with the key ``first`` to the exchange x, until these streams have it."""

    def told() -> bool:
        rabbitmq.say("first", 0, exchange="x")
        return all(streams.value(name) == 0 for name in names)

    wait_until(told, what=" and ".join(names))


@in_thread
def test_messages_become_streams(serve: Serve, rabbitmq: RabbitMQ) -> None:
    rabbitmq.make_exchange("plant")
    for queue in ("one", "named"):
        rabbitmq.make_queue(queue, "plant", "plant.#")
    streams = Streams(
        serve(
            config(
                rabbitmq.port,
                one='queue = "one"\npick = "/v"',
                named='queue = "named"\nkey = { hall = "plant.hall.temp", rest = "plant.*.state" }',
                each='exchange = "plant"\nkey = "plant.*.temp"',
                all='exchange = "plant"\nkey = "#"',
                whole='exchange = "plant"\nkey = "plant.*.state"\nwhole = true',
                plain='exchange = "plant"',
            )
        )
    )
    messages = {
        "plant.hall.temp": 20.5,
        "plant.cold room 1.temp": "low",
        "plant.oven.state": '{"on": true, "program": "bread"}',
        "plant.oven": '{"v": 7}',
    }
    expected = {
        "one": 7,
        "named.hall": 20.5,
        "named.rest.oven.on": True,
        "named.rest.oven.program": "bread",
        "each.hall": 20.5,
        "each.cold_room_1": "low",
        "all.plant.hall.temp": 20.5,
        "all.plant.cold_room_1.temp": "low",
        "all.plant.oven.state.on": True,
        "all.plant.oven.state.program": "bread",
        "all.plant.oven.v": 7,
        "whole.oven": {"on": True, "program": "bread"},
        "plain": "low",
        "plain.on": True,
        "plain.program": "bread",
        "plain.v": 7,
    }

    def told() -> bool:
        for key, body in messages.items():
            rabbitmq.say(key, body, exchange="plant")
        return {name: about["value"] for name, about in streams.all().items()} == expected

    wait_until(told)
    rabbitmq.wait_until_empty("one", "named")


@in_thread
def test_a_message_that_is_no_value_fails_its_stream_alone(
    serve: Serve, rabbitmq: RabbitMQ
) -> None:
    rabbitmq.make_exchange("x")
    streams = Streams(serve(config(rabbitmq.port, a='exchange = "x"\nkey = "#"')))
    reach(rabbitmq, streams, "a.first")
    for key, body in (("b", "1"), ("c", "1"), ("d", "1"), ("o", '{"x": 1, "y": 2}'), ("e", "3")):
        rabbitmq.say(key, body, exchange="x")
    streams.expect("a.e", 3)
    rabbitmq.say("b", b"\xff\xfe", exchange="x")
    rabbitmq.say("c", "x" * 70_000, exchange="x")
    rabbitmq.say("d", "x" * 3_000_000, exchange="x")
    rabbitmq.say("o", b"\xff", exchange="x")
    rabbitmq.say("f", "", exchange="x", headers={"at": datetime.max})
    unreadable = "the text is neither JSON nor UTF-8"
    assert streams.expect_health("a.b", "failed") == unreadable
    assert streams.expect_health("a.c", "failed") == "a value may have 64 KiB of JSON text"
    too_long = "a text may have 1 MiB, this has more"
    assert streams.expect_health("a.d", "failed") == too_long
    assert streams.expect_health("a.o.y", "failed") == unreadable
    streams.expect("a.f", "")
    rabbitmq.say("b", "2", exchange="x")
    rabbitmq.say("o", '{"x": 2}', exchange="x")
    streams.expect("a.o.x", 2)
    states = {name: about["health"]["state"] for name, about in streams.all().items()}
    failed = dict.fromkeys(("a.c", "a.d", "a.o.y"), "failed")
    assert states == dict.fromkeys(("a.first", "a.b", "a.e", "a.f", "a.o.x"), "fresh") | failed


@pytest.mark.patience(240)
@in_thread
def test_a_flood_keeps_the_newest_of_each_stream(serve: Serve, rabbitmq: RabbitMQ) -> None:
    rabbitmq.make_exchange("x")
    rabbitmq.make_queue("a", "x", "#")
    text = config(rabbitmq.port, q='queue = "a"\nkey = "#"', x='exchange = "x"\nkey = "#"')
    streams = Streams(serve(text + '[sources.r]\nkind = "random_walk"'))
    reach(rabbitmq, streams, "q.first", "x.first")

    def told(name: str) -> bool:
        newest = {"door": "shut", **{str(n): 2960 + n for n in range(40)}, "end": 1}
        return all(streams.value(f"{name}.{end}") == value for end, value in newest.items())

    def flooded() -> bool:
        with rabbitmq.channel(confirmed=False) as channel:
            publish(channel, "door", "shut", "x")
            for n in range(3000):
                publish(channel, str(n % 40), n, "x")
            publish(channel, "end", 1, "x")
        wait_until(lambda: told("q"), 120)
        return told("x")

    # A broker that gets no time counts as silent, and an exchange keeps nothing until the next line.
    wait_until(flooded, 150)
    assert streams.health("r") == ("fresh", None)
    rabbitmq.wait_until_empty("a")


def journal(folder: Path) -> str:
    """Where the daemon keeps its log."""
    return f'[journal]\npath = "{folder}/log.db"\n[streams.a]\nkeep = 1000\n'


@in_thread
def test_a_queue_keeps_what_comes_while_the_daemon_is_away(
    start_daemon: StartDaemon, rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    for queue in "abc":
        rabbitmq.make_queue(queue)
    rabbitmq.make_exchange("x")
    text = config(
        rabbitmq.port,
        a='queue = "a"',
        b='queue = "b"',
        c='queue = "c"',  # whose messages are not on disk
        x='exchange = "x"',
    )
    daemon = start_daemon(config=text + journal(tmp_path))
    rabbitmq.wait_for_readers(*"abc")
    streams = Streams(daemon)
    for queue in "abc":
        rabbitmq.say(queue, 0, kept=queue != "c")
        streams.expect(queue, 0)
    reach(rabbitmq, streams, "x")
    daemon.kill()
    rabbitmq.say("a", *range(1, 200))
    daemon.start()
    streams.expect("a", 199)
    # The first messages of a burst are updates of their own, and nothing is out of order.
    assert sorted(streams.history("a")) == streams.history("a")
    assert streams.health("a") == ("fresh", None)
    streams.expect_health("b", "fresh")  # the broker had nothing for it
    for name in "cx":
        streams.expect_gap(name)
    rabbitmq.say("c", 0)
    rabbitmq.say("", 0, exchange="x")
    for name in "cx":
        streams.expect_health(name, "fresh")
    rabbitmq.wait_until_empty(*"abc")


@in_thread
def test_the_next_node_reads_on(
    start_daemon: StartDaemon, rabbitmq: RabbitMQ, redis: Redis
) -> None:
    rabbitmq.make_queue("a")
    text = config(rabbitmq.port, a='queue = "a"')
    text += f'[journal]\nurl = "redis://127.0.0.1:{redis.port}"\n[streams.a]\nkeep = 1000\n'
    one = start_daemon(config=text)
    rabbitmq.wait_for_readers("a")
    two = start_daemon(config=text)
    rabbitmq.say("a", 1)
    streams = Streams(two)
    streams.expect("a", 1)
    one.kill()
    rabbitmq.say("a", 2)
    streams.expect("a", 2)
    assert streams.history("a") == [1, 2]
    assert streams.health("a") == ("fresh", None)


@in_thread
def test_messages_that_the_broker_drops_are_missing(
    start_daemon: StartDaemon, rabbitmq: RabbitMQ
) -> None:
    rabbitmq.make_exchange("x")
    daemon = start_daemon(config=config(rabbitmq.port, a='exchange = "x"\nkey = "#"'))
    streams = Streams(daemon)
    reach(rabbitmq, streams, "a.first")
    rabbitmq.say("door", "shut", exchange="x")
    streams.expect("a.door", "shut")
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        with rabbitmq.channel(confirmed=False) as channel:
            for n in range(MAX_WAITING + PREFETCH + 1):
                publish(channel, "hall", n, "x", kept=False)
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    streams.expect_gap("a.door")
    rabbitmq.say("door", "shut", exchange="x")
    streams.expect_health("a.door", "fresh")


@in_thread
def test_a_queue_that_is_deleted(serve: Serve, rabbitmq: RabbitMQ) -> None:
    rabbitmq.make_queue("a")
    streams = Streams(serve(config(rabbitmq.port, a='queue = "a"')))
    rabbitmq.wait_for_readers("a")
    rabbitmq.say("a", 1)
    streams.expect("a", 1)
    rabbitmq.drop("a")
    wait_until(lambda: streams.health("a") == ("failed", "the broker has no such queue: a"))
    rabbitmq.make_queue("a")
    streams.expect_gap("a")
    rabbitmq.say("a", 1)
    streams.expect_health("a", "fresh")


@in_thread
def test_an_exchange_that_is_deleted(serve: Serve, rabbitmq: RabbitMQ) -> None:
    rabbitmq.make_exchange("x")
    lines = 'exchange = "x"\nkey = { one = "a", two = "b", "" = "first" }'
    streams = Streams(serve(config(rabbitmq.port, a=lines)))
    reach(rabbitmq, streams, "a")
    for key in "ab":
        rabbitmq.say(key, 1, exchange="x")
    streams.expect("a.one", 1)
    streams.expect("a.two", 1)
    with rabbitmq.channel() as channel:  # it is made anew in no time
        channel.exchange_delete("x")
        channel.exchange_declare("x", "topic", durable=True)

    def told() -> bool:
        for key in "ab":
            rabbitmq.say(key, 2, exchange="x")
        return bool(streams.value("a.one") == streams.value("a.two") == 2)

    wait_until(told)
    rabbitmq.drop("x")
    assert streams.expect_health("a.one", "failed") == "the broker has no such exchange: x"
    rabbitmq.make_exchange("x")
    streams.expect_gap("a.one")


@in_thread
def test_a_queue_that_is_not_ours_alone(serve: Serve, rabbitmq: RabbitMQ) -> None:
    for queue in "abc":
        rabbitmq.make_queue(queue)
    text = config(rabbitmq.port, a='queue = "a"', b='queue = "b"', c='queue = "c"')
    shared = "another program takes messages from the queue, too"
    with rabbitmq.channel() as channel:
        channel.queue_declare("locked", exclusive=True)
        channel.basic_consume("a", print)
        channel.basic_consume("b", print, exclusive=True)
        streams = Streams(serve(text + config(rabbitmq.port, locked='queue = "locked"')))
        assert streams.expect_health("a", "failed") == shared
        assert streams.expect_health("b", "failed") == shared
        locked = streams.expect_health("locked", "failed")
        assert locked == "the queue belongs to another connection alone"
        rabbitmq.wait_for_readers("c")
        rabbitmq.say("c", 1)
        streams.expect("c", 1)
        channel.basic_consume("c", print)
        assert streams.expect_health("c", "failed") == shared
    for queue in "ab":
        rabbitmq.say(queue, 1)
        streams.expect(queue, 1)
    streams.expect_health("c", "fresh")


@in_thread
def test_missing_permissions(serve: Serve, rabbitmq: RabbitMQ) -> None:
    rabbitmq.make_queue("a")
    at = f"127.0.0.1:{rabbitmq.port}"
    tables = {
        "login": (f"wall:wr0ng@{at}/shop", 'queue = "a"'),
        "nobody": (f"wr0ng@{at}", 'queue = "a"'),
        "unknown": (f"{at}/none", 'queue = "a"'),
        "host": (f"wall:s3cret@{at}/%2F", 'queue = "a"'),
        "queue": (f"{at}/shop", 'queue = "a"'),
        "exchange": (f"wall:s3cret@{at}/shop", 'exchange = "amq.direct"'),
        "topic": (f"wall:s3cret@{at}/shop", 'exchange = "amq.topic"'),
    }
    errors = {
        "login": "the broker refuses the login",
        "nobody": "the broker refuses the login",
        "unknown": "the broker has no such virtual host: none",
        "host": "the broker refuses the virtual host: /",
        "queue": "the broker has no such queue: a",
        "exchange": "the broker does not allow this exchange: amq.direct",
    }
    text = "".join(
        f'[sources.{name}]\nurl = "amqp://{url}"\n{lines}\n'
        for name, (url, lines) in tables.items()
    )
    streams = Streams(serve(text))
    for name, error in errors.items():
        assert streams.expect_health(name, "failed") == error, name
    assert "wr0ng" not in json.dumps(streams.all())
    with rabbitmq.channel("shop") as channel:

        def told() -> bool:
            publish(channel, "a", 1, "amq.topic")
            return bool(streams.value("topic") == 1)

        wait_until(told)


@pytest.mark.patience(240)
@in_thread
def test_an_alarm_of_the_broker(serve: Serve, rabbitmq: RabbitMQ) -> None:
    """It takes no messages then, but sends those that it has."""
    rabbitmq.make_queue("a")
    streams = Streams(serve(config(rabbitmq.port, a='queue = "a"\nexpect = "3s"')))
    rabbitmq.wait_for_readers("a")
    rabbitmq.say("a", 1)
    streams.expect("a", 1)
    rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        streams.expect_health("a", "late")
    finally:
        rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1GB")
    rabbitmq.say("a", 2)
    streams.expect("a", 2)
    streams.expect_health("a", "fresh")


@pytest.mark.patience(240)
@in_thread
def test_tls(serve: Serve, tmp_path: Path) -> None:
    make_chain(tmp_path)
    port = free_port()
    broker = RabbitMQ(
        tmp_path,
        f"""
        listeners.ssl.1 = 127.0.0.1:{port}
        ssl_options.cacertfile = {tmp_path}/root.pem
        ssl_options.certfile = {tmp_path}/fullchain.pem
        ssl_options.keyfile = {tmp_path}/key.pem
        ssl_options.verify = verify_peer
        ssl_options.fail_if_no_peer_cert = true
        ssl_options.depth = 3
        """,
    )
    broker.tracebacks_are_expected = True
    with run(broker):
        broker.make_exchange("x")
        text = f'url = "amqps://localhost:{port}"\nexchange = "x"\nkey = "#"\n'
        ca = f'ca = "{tmp_path}/root.pem"\n'
        own = f'certificate = "{tmp_path}/fullchain.pem"\nprivate_key = "{tmp_path}/key.pem"\n'
        one = f'certificate = "{tmp_path}/all.pem"\n'
        streams = Streams(
            serve(
                f"[sources.untrusted]\n{text}[sources.unknown]\n{text}{ca}[sources.a]\n{text}{ca}{own}"
                f"[sources.b]\n{text}{ca}{one}"
                f"[sources.other]\n{text.replace('localhost', '127.0.0.1')}{ca}{own}"
                f'[sources.plain]\nurl = "amqp://localhost:{port}"\nqueue = "a"\n'
                f'[sources.tls]\nurl = "amqps://localhost:{broker.port}"\nqueue = "a"\n{ca}'
            )
        )
        reach(broker, streams, "a.first", "b.first")
        broker.say("1", "x" * 30_000, exchange="x")
        for name in ("a", "b"):
            streams.expect(f"{name}.1", "x" * 30_000)
        for name in ("untrusted", "other"):
            error = streams.expect_health(name, "failed")
            assert error == "the certificate of the broker is not trusted"
        closed = "the broker closed the connection"
        foreign = "what answers does not speak AMQP 0-9-1"
        for name in ("unknown", "plain", "tls"):
            error = streams.expect_health(name, "failed")
            assert error in (closed, foreign, "the broker does not speak TLS as expected"), name


@in_thread
def test_another_server_is_no_broker(serve: Serve) -> None:
    def answer() -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                with web.accept()[0] as connection, suppress(ConnectionError):
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    connection.recv(1000)

    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        socket.create_server(("127.0.0.1", 0)) as web,
    ):
        Thread(target=answer, daemon=True).start()
        text = config(silent.getsockname()[1], silent='queue = "a"')
        text += config(web.getsockname()[1], web='queue = "a"')
        gone = 'queue = "a"\n[sources.gone]\nurl = "amqp://no-such-host.invalid"\nqueue = "a"\n'
        streams = Streams(serve(text + config(free_port(), refused=gone)))
        error = "what answers does not speak AMQP 0-9-1"
        assert streams.expect_health("web", "failed") == error
        assert streams.expect_health("silent", "failed") == "the broker does not answer"
        error = "the broker does not accept connections"
        assert streams.expect_health("refused", "failed") == error
        streams.expect_health("gone", "failed")


def test_nothing_is_left_when_it_stops_at_once(serve: Serve, rabbitmq: RabbitMQ) -> None:
    """The fixture looks for what is left on the reactor."""
    rabbitmq.make_queue("a")
    serve(config(rabbitmq.port, a='queue = "a"'))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("", "sources.a.queue: expected either a queue or an exchange"),
        ('queue = "a"\nexchange = "b"', "sources.a.queue: expected either a queue or an exchange"),
        ('exchange = ""', "sources.a.exchange: expected the name of the exchange"),
        ('queue = "a"\nkey = "#.#"', "sources.a.key: expected a routing key such as"),
        ('queue = "a"\nkey = {}', "sources.a.key: expected 1 to 100 keys"),
        ('queue = "a"\nca = "ca.pem"', "sources.a.ca: expected a url with amqps://"),
        ('queue = "a"\npassword = { env = "NO_SUCH" }', "sources.a.password: the environment"),
    ],
)
def test_mistakes(lines: str, problem: str) -> None:
    assert mistake(config(1, a=lines)).startswith(problem)


@pytest.mark.parametrize(
    ("url", "lines", "problem"),
    [
        ("amqp://h:0", "", 'sources.a.url: expected a URL such as "amqp://localhost"'),
        ("amqps://h", 'ca = "no.pem"', "sources.a.ca: cannot use no.pem: "),
        ("amqps://h", 'certificate = "no.pem"', "sources.a.certificate: cannot use no.pem: "),
        ("amqps://h", 'private_key = "k"', "sources.a.private_key: expected a certificate, too"),
    ],
)
def test_mistakes_in_urls(url: str, lines: str, problem: str) -> None:
    assert mistake(f'[sources.a]\nurl = "{url}"\nqueue = "a"\n{lines}').startswith(problem)


def test_a_driver_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pika", None)
    wanted = f"sources.a.url: {needs_extra('AMQP', 'pika', 'amqp')}"
    assert mistake(config(1, a='queue = "a"')) == wanted


def test_no_text_shows_a_password() -> None:
    text = config(1, a='queue = "a"').replace("//", "//wall:s3cret@")
    settings = parse(text, [KIND]).sources["a"].settings
    assert settings.url.password == "s3cret"
    assert "s3cret" not in repr(settings)


@in_thread
def test_the_configuration_of_the_documentation(
    start_daemon: StartDaemon, rabbitmq: RabbitMQ
) -> None:
    with rabbitmq.channel("shop") as channel:
        channel.exchange_declare("plant", "topic", durable=True)
        channel.queue_declare("orders-on-the-wall", durable=True)
        text = pasted("amqp").replace(":5672", f":{rabbitmq.port}")
        daemon = start_daemon(config=text, env={"AMQP_PASSWORD": "s3cret"})
        streams = Streams(daemon)
        expected = {"plant.hall": 20.5, "gate.open": True, "gate.cars": 12, "orders": 99.5}

        def told() -> bool:
            publish(channel, "plant.hall.temperature", 20.5, "plant")
            publish(channel, "gates.7.state", '{"value": true}', "plant")
            publish(channel, "gates.7.counter", '{"value": 12}', "plant")
            publish(channel, "orders-on-the-wall", '{"amount": 99.5}')
            return all(streams.value(name) == value for name, value in expected.items())

        wait_until(told)
        assert streams.all()["plant.hall"]["unit"] == "°C"
        channel.exchange_delete("plant")
        channel.queue_delete("orders-on-the-wall")


def test_a_check_takes_no_message(rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    rabbitmq.make_queue("a")
    rabbitmq.say("a", 1, 2)
    (tmp_path / "streamd.toml").write_text(config(rabbitmq.port, a='queue = "a"'))

    def check() -> str:
        command = [str(TWISTD.with_name("streamd")), "check", "streamd.toml"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert re.search(r"\ba\b.*[12]", check())
    wait_until(lambda: rabbitmq.inside("a") == (2, 0))
    with rabbitmq.channel() as channel:
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume("a", print)
        assert "another program, perhaps the daemon, reads the queue now" in check()
    wait_until(lambda: rabbitmq.inside("a") == (2, 0))
