"""Several daemons on one Redis: one system."""

from __future__ import annotations

import json
import os
import shlex
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from configparser import ConfigParser
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from streamd.journals.redis import TOLD
from streamd.sources.backfills.backfill import MAX_RETRY
from tests.support.daemon import CHECKOUT, STOP_SECONDS, TWISTD, Daemon, StartDaemon
from tests.support.net import free_port, request, wait_until
from tests.support.redis import Redis

PATIENCE = 40.0

RETRIES = MAX_RETRY + PATIENCE
"""Seconds: a backfill that has failed often pauses for as long."""

JOURNAL = '[access]\npublish = "loopback"\nadmin = ["{token}"]\n[journal]\nurl = "redis://127.0.0.1:{port}"\n'
TOKEN = "0123456789abcdef"
HANDS = {"Authorization": f"Bearer {TOKEN}"}

StartNode = Callable[..., Daemon]


@pytest.fixture
def start_node(start_daemon: StartDaemon, redis: Redis) -> StartNode:
    """Starts another node; what is given is added to its configuration."""

    def start(more: str = "") -> Daemon:
        return start_daemon(config=JOURNAL.format(port=redis.port, token=TOKEN) + more)

    return start


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A table that a source follows."""
    with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, amount INTEGER)")
        yield db


def followed(folder: Path) -> str:
    """The configuration of that source."""
    return (
        f'[sources.orders]\ndatabase = "sqlite:///{folder}/shop.db"\n'
        'query = "SELECT id, amount FROM orders WHERE id > :after ORDER BY id"\n'
        'after = "id"\nstart = 0\nevery = "100ms"\nwhole = true\n'
    )


def post(node: Daemon, name: str, value: Any, key: str | None = None) -> int:
    """Publishes; returns the seq."""
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    answer = node.request("POST", f"/streams/{name}", json.dumps(value), headers)
    assert answer.status == 201, answer.text
    seq: int = answer.json()["seq"]
    return seq


def state(node: Daemon) -> Any:
    return node.request("GET", "/state").json()


def about(node: Daemon, name: str) -> Any:
    return node.request("GET", f"/streams/{name}").json()


def screens(node: Daemon) -> Any:
    return node.request("GET", "/screens").json()["screens"]


def health(node: Daemon, name: str) -> tuple[str, str | None] | None:
    """The state of a stream there, and its error."""
    found = node.request("GET", "/streams").json()["streams"].get(name)
    return found and (found["health"]["state"], found["health"].get("error"))


def eventually(question: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
    wait_until(question, seconds, what)


def everywhere(
    nodes: Iterable[Daemon],
    question: Callable[[Daemon], Any],
    what: str,
    seconds: float = PATIENCE,
) -> None:
    for node in nodes:
        eventually(partial(question, node), what, seconds)


def v1(node: Daemon, query: str = "") -> ClientConnection:
    """To be entered: `with v1(node) as viewer`."""
    return connect(f"{node.ws_url}/ws?{query}", subprotocols=["streamd.v1"], compression=None)  # type: ignore[list-item]


def hear(viewer: ClientConnection, kind: str) -> Any:
    """The next message of this kind."""
    while True:
        message = json.loads(viewer.recv(PATIENCE))
        if message["type"] == kind:
            return message


class TestOneSystem:
    def test_publish_anywhere_read_anywhere(self, start_node: StartNode) -> None:
        one, other = start_node(), start_node()
        with v1(one) as here, v1(other) as there:
            assert post(one, "a", 1) == 1
            assert post(other, "a", 2) == 2
            for viewer in (here, there):
                heard: list[Any] = []
                while len(heard) < 2:
                    heard += hear(viewer, "updates")["updates"]
                assert [(u["seq"], u["value"]) for u in heard] == [(1, 1), (2, 2)]

    def test_resume_anywhere(self, start_node: StartNode) -> None:
        one, other = start_node(), start_node()
        post(one, "a", 1)
        with v1(one) as viewer:
            at = hear(viewer, "updates")["at"]
        post(one, "a", 2)
        post(other, "a", 3)
        with v1(other, f"after={at}") as viewer:
            assert hear(viewer, "hello")["resumed"] is True
            assert [u["value"] for u in hear(viewer, "updates")["updates"]] == [2, 3]

    def test_a_node_that_comes_later(self, start_node: StartNode) -> None:
        one = start_node()
        post(one, "a", 1)
        late = start_node()
        assert state(late) == {"a": 1}
        eventually(lambda: health(late, "a") == ("fresh", None), "what others know")
        assert health(one, "a") == ("fresh", None)

    def test_an_update_that_no_node_followed_is_late(
        self, start_node: StartNode, redis: Redis
    ) -> None:
        one = start_node()
        post(one, "a", 1)
        one.stop()
        redis.say("DEL", "streamd:records:since", "streamd:expires:since")  # as time does
        one.start()
        post(one, "b", 1)
        assert health(one, "a") == ("late", None)
        assert health(one, "b") == ("fresh", None)

    def test_idempotency_keys(self, start_node: StartNode) -> None:
        one, other = start_node(), start_node()
        assert post(one, "a", 1, "k") == post(other, "a", 1, "k") == 1

    def test_screens(self, start_node: StartNode) -> None:
        one, other = start_node(), start_node()
        with v1(one) as screen:
            screen.send(
                json.dumps({"type": "screen", "name": "hall", "wall": "w", "at": "0-0", "delay": 0})
            )
            everywhere((one, other), screens, "the screen")
            answer = other.request("POST", "/screens/hall", '{"command": "identify"}', HANDS)
            assert answer.status == 200, answer.text
            assert hear(screen, "command")["command"] == "identify"
        gone = other.request("POST", "/screens/roof", '{"command": "identify"}', HANDS)
        assert gone.status == 404


class TestOneRunOfASource:
    def check(self, node: Daemon, count: int) -> None:
        """All rows are there, once and in order."""
        eventually(lambda: state(node).get("orders", {}).get("id") == count, f"row {count}")
        history = node.request("GET", "/streams/orders?history=100").json()["history"]
        assert [update["value"]["id"] for update in history] == list(range(1, count + 1))
        assert [update["seq"] for update in history] == list(range(1, count + 1))

    def add(self, rows: sqlite3.Connection, count: int = 5) -> None:
        rows.executemany("INSERT INTO orders (amount) VALUES (?)", [(n,) for n in range(count)])

    def holder(self, redis: Redis, nodes: list[Daemon]) -> Daemon:
        """The node that runs the source."""
        wait_until(lambda: redis.say("EXISTS", "streamd:lease:source:orders"), PATIENCE, "a lease")
        [found] = [node for node in nodes if node.running and self.runs(redis, node)]
        return found

    def runs(self, redis: Redis, node: Daemon) -> bool:
        name = redis.say("GET", "streamd:lease:source:orders")
        return bool(name) and name in node.log()

    @pytest.fixture
    def nodes(self, start_node: StartNode, tmp_path: Path, rows: Any) -> list[Daemon]:
        return [start_node(followed(tmp_path)) for _ in range(2)]

    def other(self, nodes: list[Daemon], node: Daemon) -> Daemon:
        [found] = [one for one in nodes if one is not node]
        return found

    def test_one_runs_it_for_all(self, nodes: list[Daemon], rows: sqlite3.Connection) -> None:
        self.add(rows)
        for node in nodes:
            self.check(node, 5)
        everywhere(nodes, lambda node: health(node, "orders") == ("fresh", None), "its health")
        everywhere(nodes, lambda node: "expect" in about(node, "orders"), "what it promises")

    def test_killed(self, nodes: list[Daemon], rows: sqlite3.Connection, redis: Redis) -> None:
        self.add(rows)
        first = self.holder(redis, nodes)
        self.check(first, 5)
        first.kill()
        self.add(rows)
        self.check(self.other(nodes, first), 10)

    def test_stopped(self, nodes: list[Daemon], rows: sqlite3.Connection, redis: Redis) -> None:
        self.add(rows)
        first = self.holder(redis, nodes)
        self.check(first, 5)
        first.stop()
        assert not self.runs(redis, first)
        self.add(rows)
        self.check(self.other(nodes, first), 10)

    def test_frozen(self, nodes: list[Daemon], rows: sqlite3.Connection, redis: Redis) -> None:
        self.add(rows)
        first = self.holder(redis, nodes)
        self.check(first, 5)
        first.freeze()
        self.add(rows)
        second = self.other(nodes, first)
        self.check(second, 10)
        first.thaw()
        self.add(rows)
        self.check(second, 15)
        self.check(first, 15)
        assert self.runs(redis, second)
        second.stop()
        self.add(rows)
        self.check(first, 20)

    def test_a_failure_shows_on_every_node(
        self, start_node: StartNode, tmp_path: Path, rows: sqlite3.Connection
    ) -> None:
        command = f"cd {tmp_path} && cat value && test ! -e broken"
        config = f'[sources.shop]\ncommand = ["sh", "-c", "{command}"]\nevery = "200ms"\n'
        (tmp_path / "value").write_text("7")
        nodes = [start_node(config) for _ in range(2)]
        everywhere(nodes, lambda node: health(node, "shop") == ("fresh", None), "fresh")
        everywhere(nodes, lambda node: state(node) == {"shop": 7}, "the value")
        (tmp_path / "broken").touch()
        everywhere(nodes, lambda node: (health(node, "shop") or "")[0] == "failed", "failed")
        (tmp_path / "broken").unlink()
        everywhere(nodes, lambda node: health(node, "shop") == ("fresh", None), "fresh again")


class TestRedisAway:
    def test_reading_continues(self, start_node: StartNode, redis: Redis) -> None:
        nodes = [start_node(), start_node()]
        post(nodes[0], "a", 1)
        with v1(nodes[0]) as one, v1(nodes[1]) as other:
            viewers = (one, other)
            redis.freeze()
            for viewer in viewers:
                message = hear(viewer, "journal")
                assert (message["state"], message["error"]) == ("away", "Redis does not answer")
            refused = nodes[0].request("POST", "/streams/a", "2", {"Idempotency-Key": "k"})
            assert refused.status == 503
            assert state(nodes[1]) == {"a": 1}
            with v1(nodes[1]) as late:
                assert hear(late, "updates")["updates"][0]["value"] == 1
            redis.thaw()
            for viewer in viewers:
                assert hear(viewer, "journal")["state"] == "ok"
            assert post(nodes[0], "a", 2, "k") == 2
            for viewer in viewers:
                assert [u["value"] for u in hear(viewer, "updates")["updates"]][-1] == 2

    def test_at_the_start(self, start_node: StartNode, redis: Redis) -> None:
        """The port answers at once, with the reason, and with the state when Redis comes."""
        redis.kill()
        node = start_node()
        answer = node.request("GET", "/state")
        assert answer.status == 503
        assert answer.json()["error"]["message"] == "Redis does not accept connections"
        assert node.request("GET", "/").status == 200
        redis.start()
        eventually(lambda: node.request("GET", "/state").status == 200, "the log")
        assert post(node, "a", 1) == 1

    def test_flushed(self, start_node: StartNode, redis: Redis) -> None:
        nodes = [start_node(), start_node()]
        post(nodes[0], "a", 1)
        with v1(nodes[1]) as viewer:
            at = hear(viewer, "updates")["at"]
            redis.say("FLUSHALL")
            eventually(lambda: state(nodes[0]) == state(nodes[1]) == {}, "the new log")
            post(nodes[0], "a", 2)
            eventually(lambda: state(nodes[1]) == {"a": 2}, "what is new")
            with pytest.raises(ConnectionClosed):
                hear(viewer, "nothing")
        with v1(nodes[1], f"after={at}") as again:
            hello = hear(again, "hello")
            assert hello["resumed"] is False
            assert hello["journal"]["error"] in TOLD.values()
            assert [u["seq"] for u in hear(again, "updates")["updates"]] == [1]


def test_instances_on_one_port(redis: Redis, tmp_path: Path) -> None:
    """The command of the unit, with a socket for each as systemd gives it."""
    unit = ConfigParser(interpolation=None, strict=False)
    unit.read(CHECKOUT / "systemd" / "streamd@.service")
    unit.read(CHECKOUT / "systemd" / "streamd@.socket")
    reuse = unit["Socket"].getboolean("ReusePort", False)
    words = shlex.split(unit["Service"]["ExecStart"])
    words[0], words[-1] = str(TWISTD.with_name("streamd")), str(tmp_path / "streamd.toml")
    (tmp_path / "streamd.toml").write_text(JOURNAL.format(port=redis.port, token=TOKEN))
    port = free_port()
    instances = []
    with ExitStack() as stack:
        for number in range(2):
            listener = stack.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse)
            listener.bind(("127.0.0.1", port))
            listener.listen(64)
            command = [sys.executable, "-c", GIVE, str(listener.fileno()), *words]
            with (tmp_path / f"{number}.log").open("wb") as log:
                instance = subprocess.Popen(
                    command,
                    cwd=tmp_path,
                    pass_fds=[listener.fileno()],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            stack.callback(instance.wait, STOP_SECONDS)
            stack.callback(instance.terminate)
            instances.append(instance)
        url = f"ws://127.0.0.1:{port}/ws"
        viewers = [
            stack.enter_context(connect(url, compression=None, open_timeout=PATIENCE))
            for _ in range(32)
        ]
        answer = request(port, "POST", "/streams/a", "1")
        assert answer.status == 201, answer.text
        for viewer in viewers:
            while json.loads(viewer.recv(PATIENCE)) != {"a": 1}:
                pass
        counts = [len(os.listdir(f"/proc/{instance.pid}/fd")) for instance in instances]
        assert min(counts) > 8, counts  # both have viewers: with 32 of them, but for one in 10**8


GIVE = """
import os, sys
number = int(sys.argv[1])
if number != 3:
    os.dup2(number, 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="port")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Gives a socket away as systemd does: as descriptor 3."""


def test_a_redis_that_cannot_be_had(redis: Redis, tmp_path: Path) -> None:
    redis.say("CONFIG", "SET", "requirepass", "p@ss")
    config = tmp_path / "streamd.toml"
    config.write_text(f'[journal]\nurl = "redis://:wr0ng@127.0.0.1:{redis.port}"\n')
    words: list[str | Path] = [TWISTD, "-n", "--pidfile=", "-l", "log", "streamd"]
    words += ["--port", "tcp:0:interface=127.0.0.1", "--config", config]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert ended.stderr.startswith("streamd: journal.url: Redis: WRONGPASS")
    assert "wr0ng" not in ended.stderr + (tmp_path / "log").read_text()


ROLLED = '[streams.orders]\nkeep = 1\nrollup = "8h"\nwarn = "> 5"\n'


def past(node: Daemon, begin: float, end: float) -> Any:
    """The long history of the stream there."""
    told = node.request("GET", f"/streams/orders?from={begin}&to={end}").json()
    return [told[key] for key in ("points", "levels", "words", "silences")]


def test_long_histories_are_the_same_on_every_node(start_node: StartNode, redis: Redis) -> None:
    one, other = start_node(ROLLED), start_node(ROLLED)
    begin = time.time() // 60 * 60 - 3600
    for number in range(20):
        headers = {"Content-Type": "application/json", "Streamd-Time": str(begin + 7 * number)}
        node = (one, other)[number % 2]
        assert node.request("POST", "/streams/orders", str(number), headers).status == 201
    end = begin + 135  # where a slot of 5 s ends
    wait_until(lambda: past(one, begin, end) == past(other, begin, end))
    before = past(one, begin, end)
    assert (before[0][0][0], before[0][-1][-1]) == (begin, 19)
    head = "HGET", "streamd:rollup:orders", "-1"
    wait_until(lambda: '"ok"' in (redis.say(*head) or ""))
    one.kill()
    post(other, "orders", "closed")
    wait_until(lambda: '"closed"' in (redis.say(*head) or ""), 60)
    other.kill()
    one.start()
    assert past(one, begin, end) == before
    assert past(one, begin, time.time())[2][0][2] == "closed"


BACKFILL = """
[sources.shop]
database = "sqlite:///{folder}/shop.db"
query = "SELECT 5 AS orders"
every = "100ms"
[sources.shop.backfill]
query = "SELECT id AS time, amount AS orders FROM orders WHERE id >= :from_epoch AND id < :to_epoch"
[streams.shop.orders]
rollup = "400d"
"""


def orders(node: Daemon, begin: float, end: float) -> Any:
    """How far a backfill is there, and the slots of a time."""
    told = node.request("GET", f"/streams/shop.orders?from={begin}&to={end}&points=2000").json()
    return told.get("backfill"), told["points"]


def test_a_backfill_continues_on_another_node_and_is_the_same_on_all(
    start_node: StartNode, rows: sqlite3.Connection, tmp_path: Path
) -> None:
    day = 86_400
    first = int(time.time()) // day * day - 300 * day
    values = [(first + 300 * n, n % 1000) for n in range(288 * 299)]
    rows.execute("BEGIN")
    rows.executemany("INSERT INTO orders VALUES (?, ?)", values)
    rows.execute("COMMIT")
    text = BACKFILL.format(folder=tmp_path)
    one = start_node(text)
    period = first, first + 60 * day
    eventually(lambda: len(orders(one, *period)[1]) > 24, "a part of the past")
    other = start_node(text)
    assert orders(one, *period)[0] is not None, "the backfill was complete before the kill"
    one.kill()
    eventually(lambda: not orders(other, *period)[0], "the whole past")
    one.start()
    third = start_node(text)
    for begin in range(first, first + 299 * day, 60 * day):
        until = min(begin + 60 * day, first + 299 * day)
        wanted = [
            [t, min(hour), sum(hour) / 12, max(hour), hour[-1]]
            for t in range(begin, until, 3600)
            for hour in [[n % 1000 for n in range((t - first) // 300, (t - first) // 300 + 12)]]
        ]
        for node in one, other, third:
            told = [
                [t, low, round(mean, 6), high, last]
                for t, low, mean, high, last in orders(node, begin, until)[1]
            ]
            assert told == [
                [t, low, round(mean, 6), high, last] for t, low, mean, high, last in wanted
            ]


@pytest.mark.patience(240)
def test_a_node_that_only_watches_learns_what_is_filled(
    start_node: StartNode, rows: sqlite3.Connection, tmp_path: Path
) -> None:
    first = int(time.time()) // 3600 * 3600 - 86_400
    text = BACKFILL.format(folder=tmp_path)
    broken = text.replace("FROM orders WHERE", "FROM nowhere WHERE")
    one, other = start_node(broken), start_node(broken)
    rows.execute("INSERT INTO orders VALUES (?, 7)", (first,))
    everywhere([one, other], lambda node: state(node).get("shop.orders") == 5, "the live value")
    rows.execute("CREATE TABLE nowhere AS SELECT * FROM orders")
    period = first, first + 3600
    hour = [first, 7.0, 7.0, 7.0, 7.0]
    everywhere(
        [one, other], lambda node: orders(node, *period) == (None, [hour]), "the past", RETRIES
    )
