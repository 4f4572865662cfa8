"""A RabbitMQ of one's own, an AMQP broker that can be stopped, killed and frozen: `rabbitmq`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pika
import pytest

from tests.support.daemon import STOP_SECONDS, Server, finish_all
from tests.support.net import accepts, free_port, wait_until

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
"""Debian's folder; the programs of the same names in /usr/sbin want to be the user rabbitmq."""

CONFIG = """
listeners.tcp.1 = 127.0.0.1:{port}
log.console = true
log.console.level = info
log.file = false
load_definitions = {data}/definitions.json
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 10MB
{more}
"""

DEFINITIONS = {
    "users": [
        {"name": name, "password": word, "tags": []}
        for name, word in {"guest": "guest", "wall": "s3cret"}.items()
    ],
    "vhosts": [{"name": "/"}, {"name": "shop"}, {"name": "guests"}],
    "permissions": [
        {"user": user, "vhost": vhost, "configure": text, "write": text, "read": text}
        for user, vhost, text in (
            ("guest", "/", ".*"),
            ("guest", "shop", ".*"),
            ("guest", "guests", ".*"),
            ("wall", "shop", "^(orders-on-the-wall|plant|amq\\.gen.*|amq\\.topic)$"),
        )
    ],
}
"""Who may do what: guest everything, wall little, in ``shop`` alone."""

ARGUMENTS = "-noinput +S 1:1 +SDio 2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"
"""Of Erlang: little CPU time, and nothing that listens to other machines."""


class RabbitMQ(Server):
    """rabbitmq-server; its durable queues survive `stop` and `kill`.

    It has its own epmd, the name server of Erlang, so that it leaves
    none behind and meets no other broker.
    """

    def __init__(self, folder: Path, more: str = "") -> None:
        """`more`: lines of its configuration."""
        program = PROGRAMS / "rabbitmq-server"
        assert program.exists(), "no rabbitmq-server here: run tests/install-servers"
        port = free_port()
        self.data = data = folder / "rabbitmq"
        data.mkdir(parents=True)
        (data / "rabbitmq.conf").write_text(CONFIG.format(port=port, data=data, more=more))
        (data / "definitions.json").write_text(json.dumps(DEFINITIONS))
        (data / "plugins").write_text("[].\n")
        self._epmd_port = free_port()
        self._epmd: subprocess.Popen[bytes] | None = None
        self._queues: set[str] = set()
        self._exchanges: set[str] = set()
        env = {
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "HOME": str(data),  # the cookie of Erlang
            "RABBITMQ_ALLOW_INPUT": "1",  # the script becomes the broker, instead of its parent
            "RABBITMQ_CONFIG_FILE": str(data / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(data / "none"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(data / "plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(data),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": str(data),
            "RABBITMQ_MNESIA_BASE": str(data / "db"),
            "RABBITMQ_NODENAME": "wall@localhost",
            "RABBITMQ_PID_FILE": str(data / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ARGUMENTS,
        }
        super().__init__([program], port, folder, env)

    def start(self, seconds: float = 120) -> None:
        """Starts it and waits until it serves."""
        if self._epmd is None:
            command = ["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"]
            quiet = subprocess.DEVNULL
            self._epmd = subprocess.Popen(command, stdin=quiet, stderr=quiet)
            wait_until(lambda: accepts(self._epmd_port), what="epmd")
        try:
            super().start(seconds)
        except AssertionError:
            self._end_epmd()
            raise

    def stop(self, seconds: float = 3 * STOP_SECONDS) -> int:
        """SIGTERM; Erlang then ends one thing after the other."""
        return super().stop(seconds)

    def finish(self) -> None:
        """Ends it, and its epmd."""
        try:
            super().finish()
        finally:
            self._end_epmd()

    def _end_epmd(self) -> None:
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None

    def freeze(self) -> None:
        """It stands still, its connections open."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def control(self, *words: str) -> str:
        """What rabbitmqctl says; it takes two seconds."""
        done = subprocess.run(
            [PROGRAMS / "rabbitmqctl", "--quiet", *words],
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def channel(self, vhost: str = "/", confirmed: bool = True) -> Iterator[Any]:
        """A channel on a connection of its own, which ends with the block.

        `confirmed`: publishing waits until the broker has the message.
        """
        parameters = pika.ConnectionParameters("127.0.0.1", self.port, vhost)
        connection = pika.BlockingConnection(parameters)
        try:
            channel = connection.channel()
            if confirmed:
                channel.confirm_delivery()
            yield channel
        finally:
            with suppress(pika.exceptions.AMQPError):
                connection.close()

    def make_queue(self, name: str, exchange: str = "", key: str = "", **options: Any) -> None:
        """Makes a durable queue, bound to an exchange if one is given."""
        self._queues.add(name)
        with self.channel() as channel:
            channel.queue_declare(name, **{"durable": True, **options})
            if exchange:
                channel.queue_bind(name, exchange, key)

    def make_exchange(self, name: str, kind: str = "topic") -> None:
        self._exchanges.add(name)
        with self.channel() as channel:
            channel.exchange_declare(name, kind, durable=True)

    def drop(self, *names: str) -> None:
        """Deletes queues and exchanges."""
        with self.channel() as channel:
            for name in names:
                channel.queue_delete(name)
                channel.exchange_delete(name)

    def clean(self) -> None:
        """Makes it as it was at the start."""
        if self.running:
            self.thaw()
        else:
            self.start()
        self.drop(*self._queues, *self._exchanges)
        self._queues.clear()
        self._exchanges.clear()

    def say(
        self, key: str, *bodies: object, exchange: str = "", kept: bool = True, **more: Any
    ) -> None:
        """Publishes messages, and waits until the broker has them; without an exchange `key` is a
        queue."""
        with self.channel() as channel:
            for body in bodies:
                publish(channel, key, body, exchange, kept, **more)

    def inside(self, queue: str) -> tuple[int, int]:
        """How many messages wait in a queue, and how many consumers it has."""
        with self.channel() as channel:
            found = channel.queue_declare(queue, passive=True).method
            return found.message_count, found.consumer_count

    def wait_for_readers(self, *queues: str) -> None:
        """Waits until each of these queues has a consumer."""
        for queue in queues:
            wait_until(lambda queue=queue: self.inside(queue)[1], what=f"a reader of {queue}")  # type: ignore[misc]

    def wait_until_empty(self, *queues: str) -> None:
        """Waits until all messages are acknowledged: those would be there again without a reader."""
        for queue in queues:
            wait_until(lambda queue=queue: self.inside(queue)[0] == 0, what=f"{queue} to be empty")  # type: ignore[misc]


def publish(
    channel: Any, key: str, body: object, exchange: str = "", kept: bool = True, **more: Any
) -> None:
    """Publishes a message on a channel; `more` are its properties."""
    data = body if isinstance(body, bytes) else str(body).encode()
    about = pika.BasicProperties(delivery_mode=2 if kept else 1, **more)
    channel.basic_publish(exchange, key, data, about)


@contextmanager
def run(server: RabbitMQ) -> Iterator[RabbitMQ]:
    """A broker that runs as long as the block."""
    server.start()
    try:
        yield server
    finally:
        if server.running:
            server.thaw()
        finish_all([server])


@pytest.fixture(scope="session")
def _rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """The broker of all tests: it takes seconds to start."""
    with run(RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))) as server:
        yield server


@pytest.fixture
def rabbitmq(_rabbitmq: RabbitMQ) -> Iterator[RabbitMQ]:
    """A broker that runs, and has nothing."""
    try:
        yield _rabbitmq
    finally:
        _rabbitmq.clean()
