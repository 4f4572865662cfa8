"""A mosquitto of one's own, an MQTT broker that can be stopped, killed and frozen: `mosquitto`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.daemon import Server, serving
from tests.support.net import free_port, wait_until

CONFIG = """
listener {port} 127.0.0.1
allow_anonymous {anonymous}
password_file {folder}/passwords
acl_file {folder}/acl
user root
persistence true
persistence_location {folder}/
autosave_interval 1
max_queued_messages 5000
log_type all
{more}
"""


class Mosquitto(Server):
    """mosquitto; its sessions and retained messages survive `stop` and `kill`."""

    def __init__(self, folder: Path, anonymous: bool = True, more: str = "") -> None:
        """`more`: lines of its configuration."""
        program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
        assert program, "no mosquitto here: run tests/install-servers"
        port = free_port()
        data = folder / "mosquitto"
        data.mkdir(parents=True)
        word = str(anonymous).lower()
        config = CONFIG.format(port=port, folder=data, anonymous=word, more=more)
        (data / "mosquitto.conf").write_text(config)
        (data / "acl").write_text("topic readwrite #\nuser wall\ntopic readwrite #\n")
        for file in ("passwords", "acl"):
            (data / file).touch()
            (data / file).chmod(0o600)
        self.data = data
        super().__init__([program, "-c", str(data / "mosquitto.conf")], port, folder)

    def add_user(self, name: str, password: str) -> None:
        """A user that may log in, from now on."""
        command = ["mosquitto_passwd", "-b", str(self.data / "passwords"), name, password]
        subprocess.run(command, check=True, capture_output=True)
        if self.running:
            os.kill(self.pid, signal.SIGHUP)

    def say(self, topic: str, payload: object, qos: int = 1, retain: bool = False) -> None:
        """Publishes one message, and waits until the broker has it."""
        self.say_all([(topic, payload, qos, retain)])

    def say_all(
        self,
        messages: Sequence[tuple[str, object, int, bool]],
        user: str = "",
        password: str = "",
    ) -> None:
        """Publishes messages (topic, payload, qos, retain) on one connection."""
        client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        if user:
            client.username_pw_set(user, password)
        client.max_inflight_messages_set(1000)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        try:
            sent = []
            for topic, payload, qos, kept in messages:
                text = payload if isinstance(payload, bytes) else str(payload)
                sent.append(client.publish(topic, text, qos, kept))
            for one in sent:
                one.wait_for_publish(10)
                assert one.is_published(), "the broker does not take a message"
        finally:
            client.disconnect()
            client.loop_stop()

    def subscribers(self) -> int:
        """How often a client has subscribed since the start, by the log."""
        return self.log().count("Sending SUBACK")

    def wait_for(self, subscribers: int) -> None:
        """Waits until clients have subscribed so often since the start."""
        wait_until(lambda: self.subscribers() >= subscribers, what="subscribers")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that runs, where everybody may do everything."""
    yield from serving(Mosquitto(tmp_path))
