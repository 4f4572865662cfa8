"""Every kind of source on a server that is stopped, killed, or stands still.

The wall says so soon, is right again soon after the server's return, and whatever was written meanwhile
arrives once, where a kind promises that.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any, NamedTuple

import pytest

from tests.support.databases import BySqlAlchemy
from tests.support.net import wait_until
from tests.support.served import Serve, in_thread
from tests.support.streams import Streams

WITHIN = 20
"""Seconds: five are promised, on a machine that is not busy."""

AFTER = "SELECT n FROM sold WHERE n > :after ORDER BY n"

SQL = f"""
[sources.count]
database = "URL"
query = "SELECT max(n) AS most FROM sold"
[sources.rare]
database = "URL"
query = "SELECT max(n) AS most FROM sold"
every = "1h"
[sources.rows]
database = "URL"
query = "{AFTER}"
after = "n"
[sources.generic]
database = "ALCHEMY"
query = "SELECT max(n) AS most FROM sold"
every = "1h"
[sources.generic_rows]
database = "ALCHEMY"
query = "{AFTER}"
after = "n"
"""

POSTGRES = f"""{SQL}
[sources.heard]
database = "URL"
listen = "sold"
[sources.woken]
database = "URL"
listen = "sold"
query = "{AFTER}"
after = "n"
[sources.table]
database = "URL"
listen = "sold"
query = "SELECT n FROM sold ORDER BY n DESC LIMIT 2"
table = true
"""

REDIS = """
[sources.heard]
url = "URL"
subscribe = "sold"
[sources.entries]
url = "URL"
xread = "sold"
[sources.asked]
url = "URL"
xlen = "sold"
"""

MQTT = """
[sources.heard]
url = "URL"
topic = "sold"
"""

AMQP = """
[sources.heard]
url = "URL"
queue = "sold"
[sources.sent]
url = "URL"
exchange = "sales"
"""

OTHERS = """
[sources.other]
kind = "random_walk"
[streams.rows]
keep = 5000
[streams.generic_rows]
keep = 5000
[streams.woken]
keep = 5000
[streams.entries]
keep = 5000
"""

TEXTS = {
    "the database cannot be reached",
    "the database did not answer within 3 s",
    "the database does not answer",
    "the connection to the database was lost",
    "terminating connection due to administrator command",
    "the database system is shutting down",
    "Redis closed the connection",
    "Redis does not accept connections",
    "Redis does not answer",
    "the broker closed the connection",
    "the broker does not accept connections",
    "the broker does not answer",
    "the broker: Server shutting down",
}


class Market(NamedTuple):
    """A server, the sources that read it, and whoever writes to it.

    :ivar streams: one of each source.
    :ivar whole: the sources that leave nothing out, and say nothing twice.
    :ivar write: writes this number.
    :ivar written: all numbers that are there.
    """

    server: Any
    config: str
    streams: set[str]
    whole: set[str]
    write: Callable[[int], Any]
    written: Callable[[], list[int]]


@pytest.fixture(params=["postgres", "mariadb", "redis", "mosquitto", "rabbitmq"])
def market(request: pytest.FixtureRequest) -> Market:
    server = request.getfixturevalue(request.param)
    if request.param == "redis":
        return Market(
            server,
            REDIS.replace("URL", f"redis://127.0.0.1:{server.port}") + OTHERS,
            {"heard", "entries", "asked"},
            {"entries"},
            lambda n: (server.say("XADD", "sold", "*", "n", n), server.say("PUBLISH", "sold", n)),
            lambda: [int(fields[1]) for _, fields in server.say("XRANGE", "sold", "-", "+")],
        )
    if request.param == "mosquitto":
        numbers: list[int] = []

        def say(n: int) -> None:
            server.say("sold", n)
            numbers.append(n)

        return Market(
            server,
            MQTT.replace("URL", f"mqtt://127.0.0.1:{server.port}") + OTHERS,
            {"heard"},
            set(),  # at least once: the broker does not know what it has sent before it was killed
            say,
            lambda: numbers,
        )
    if request.param == "rabbitmq":
        server.make_exchange("sales", "fanout")
        server.make_queue("sold", "sales")
        sent: list[int] = []

        def publish(n: int) -> None:
            server.say("", n, exchange="sales")
            sent.append(n)

        return Market(
            server,
            AMQP.replace("URL", f"amqp://127.0.0.1:{server.port}") + OTHERS,
            {"heard", "sent"},
            set(),  # at least once: what was not acknowledged comes again
            publish,
            lambda: sent,
        )
    postgres = request.param == "postgres"
    server.sql("CREATE TABLE sold (n int PRIMARY KEY)")
    notify = "; NOTIFY sold, '{}'" if postgres else ""
    streams, whole = {"count.most", "rare.most", "generic.most"}, {"rows", "generic_rows"}
    if postgres:
        streams |= {"heard", "table"}
        whole |= {"woken"}
    alchemy = BySqlAlchemy(server).url
    return Market(
        server,
        (POSTGRES if postgres else SQL).replace("URL", server.url).replace("ALCHEMY", alchemy)
        + OTHERS,
        streams | whole,
        whole,
        lambda n: server.sql((f"INSERT INTO sold VALUES ({n})" + notify).format(n)),
        lambda: [n for (n,) in server.sql("SELECT n FROM sold ORDER BY n")],
    )


@contextmanager
def writing(market: Market, first: int) -> Iterator[None]:
    """Somebody writes as long as this lasts, as often as the server takes it."""
    over = threading.Event()

    def write() -> None:
        number = first
        while not over.wait(0.02):
            with suppress(Exception):  # it is away
                market.write(number)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


@pytest.mark.patience(150)
@pytest.mark.parametrize("day", ["stop", "kill", "freeze"])
@in_thread
def test_bad_days(market: Market, serve: Serve, day: str) -> None:
    numbers = iter(range(1, 1000))
    market.write(next(numbers))
    streams = Streams(serve(market.config))

    def told() -> bool:
        market.write(next(numbers))
        return all(streams.health(name)[0] == "fresh" for name in market.streams)

    wait_until(told)
    with writing(market, 1000):
        proof = streams.all()[name := min(market.streams)]["health"]["proof"]
        wait_until(lambda: streams.all()[name]["health"]["proof"] > proof)
        getattr(market.server, day)()
        fell = time.monotonic()
        try:
            errors = {}
            for name in market.streams:
                left = fell + WITHIN - time.monotonic()
                errors[name] = streams.expect_health(name, "failed", left)
            assert set(errors.values()) <= TEXTS, errors
            asked = time.monotonic()
            assert all(streams.value(name) is not None for name in market.streams)
            assert time.monotonic() - asked < 10, "the daemon waits for nobody"
            assert streams.health("other") == ("fresh", None)
            time.sleep(1.5)  # another attempt, which gets no further
            assert {streams.health(name)[0] for name in market.streams} == {"failed"}
        finally:
            market.server.thaw() if market.server.running else market.server.start()
        back = time.monotonic()
        for name in market.streams:
            streams.expect_health(name, "fresh", back + WITHIN - time.monotonic())
    written = market.written()
    assert written[-1] > 1000
    for name in market.whole:
        wait_until(lambda name=name: len(history(streams, name)) >= len(written))  # type: ignore[misc]
        assert sorted(history(streams, name)) == written


def history(streams: Streams, name: str) -> list[int]:
    return [value["n"] for value in streams.history(name)]


class Refusal:
    """A port where whoever connects is hung up on.

    :ivar times: when that was, on the monotonic clock.
    """

    def __init__(self) -> None:
        self.times: list[float] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        with suppress(OSError):
            while True:
                self._listener.accept()[0].close()
                self.times.append(time.monotonic())

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


KINDS = {
    "postgres": 'database = "postgresql://127.0.0.1:PORT/x?sslmode=disable"\nquery = "SELECT 1"',
    "maria": 'database = "mysql://127.0.0.1:PORT/x"\nquery = "SELECT 1"\nevery = "100ms"',
    "listener": 'database = "postgresql://127.0.0.1:PORT/x?sslmode=disable"\nlisten = "a"',
    "woken": 'database = "postgresql://127.0.0.1:PORT/x?sslmode=disable"\nlisten = "a"\n'
    'query = "SELECT 1"',
    "redis": 'url = "redis://127.0.0.1:PORT"\nget = "x"\nevery = "100ms"',
    "mqtt": 'url = "mqtt://127.0.0.1:PORT"\ntopic = "x"',
    "amqp": 'url = "amqp://127.0.0.1:PORT"\nqueue = "x"',
    "http": 'url = "http://127.0.0.1:PORT/"\nevery = "100ms"',
}


@in_thread
def test_at_most_one_attempt_a_second(serve: Serve) -> None:
    with ExitStack() as stack:
        doors = {name: stack.enter_context(closing(Refusal())) for name in KINDS}
        tables = [
            f"[sources.{name}]\n{lines.replace('PORT', str(doors[name].port))}\n"
            for name, lines in KINDS.items()
        ]
        served = serve("".join(tables))
        wait_until(lambda: all(len(door.times) >= 4 for door in doors.values()))
        served.run(lambda: [source.stop() for source, _ in served.service.sources])
    for name, door in doors.items():
        # Three pauses, of which the first was shorter if its beginning was noticed late.
        assert door.times[3] - door.times[0] > 2, (name, door.times)
