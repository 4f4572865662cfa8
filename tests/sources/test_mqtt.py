"""A real MQTT broker on every viewer: topics, retained messages, sessions, last wills, bad days."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from streamd.config.extras import needs_extra
from streamd.config.parse import parse
from streamd.sources.mqtt import KIND, OFFLINE
from tests.support.certificate import make_certificate
from tests.support.daemon import StartDaemon, finish_all
from tests.support.mosquitto import Mosquitto
from tests.support.net import free_port, wait_until
from tests.support.redis import Redis
from tests.support.served import Serve, in_thread
from tests.support.sources_page import pasted
from tests.support.streams import Streams, mistake


def config(port: int, **sources: str) -> str:
    """A source a keyword: the lines that follow its url."""
    tables = [
        f'[sources.{name}]\nurl = "mqtt://127.0.0.1:{port}"\n{lines}'
        for name, lines in sources.items()
    ]
    return "\n".join([*tables, ""])


@in_thread
def test_topics_become_streams(serve: Serve, mosquitto: Mosquitto) -> None:
    mosquitto.say("plant/oven/state", '{"on": true, "program": "bread"}', retain=True)
    streams = Streams(
        serve(
            config(
                mosquitto.port,
                one='topic = "plant/hall/temp"',
                each='topic = "plant/+/temp"',
                all='topic = "plant/#"',
                table='topic = { hall = "plant/hall/temp", rest = "plant/+/state" }',
                whole='topic = "plant/+/state"\nwhole = true',
                picked='topic = "plant/oven/state"\npick = "/program"',
            )
        )
    )
    mosquitto.wait_for(6)
    streams.expect("whole.oven", {"on": True, "program": "bread"})
    streams.expect("picked", "bread")
    mosquitto.say("plant/hall/temp", "20.5")
    mosquitto.say("plant/cold room 1/temp", "low")
    streams.expect("each.cold_room_1", "low")
    named = {name: about["value"] for name, about in streams.all().items()}
    assert named == {
        "one": 20.5,
        "each.hall": 20.5,
        "each.cold_room_1": "low",
        "all.hall.temp": 20.5,
        "all.cold_room_1.temp": "low",
        "all.oven.state.on": True,
        "all.oven.state.program": "bread",
        "table.hall": 20.5,
        "table.rest.oven.on": True,
        "table.rest.oven.program": "bread",
        "whole.oven": {"on": True, "program": "bread"},
        "picked": "bread",
    }
    mosquitto.say("plant/oven/state", "", retain=True)  # it is deleted
    for name in ("all.oven.state.on", "table.rest.oven.program", "whole.oven", "picked"):
        wait_until(lambda name=name: name not in streams.all())  # type: ignore[misc]
    assert streams.value("all.hall.temp") == 20.5


@in_thread
def test_a_payload_that_is_no_value_fails_its_stream_alone(
    serve: Serve, mosquitto: Mosquitto
) -> None:
    streams = Streams(serve(config(mosquitto.port, a='topic = "a/#"')))
    mosquitto.wait_for(1)
    for topic, payload in (("b", "1"), ("c", "1"), ("o", '{"x": 1, "y": 2}'), ("o/z", "3")):
        mosquitto.say(f"a/{topic}", payload)
    streams.expect("a.o.z", 3)
    mosquitto.say("a/b", b"\xff\xfe")
    mosquitto.say("a/c", "x" * 70_000)
    mosquitto.say("a/o", b"\xff")
    unreadable = "the text is neither JSON nor UTF-8"
    assert streams.expect_health("a.b", "failed") == unreadable
    assert streams.expect_health("a.c", "failed") == "a value may have 64 KiB of JSON text"
    assert streams.expect_health("a.o.y", "failed") == unreadable
    mosquitto.say("a/b", "2")
    mosquitto.say("a/o", '{"x": 2}')
    streams.expect("a.o.x", 2)
    states = {name: about["health"]["state"] for name, about in streams.all().items()}
    fresh = dict.fromkeys(("a.b", "a.o.x", "a.o.z"), "fresh")
    assert states == fresh | {"a.c": "failed", "a.o.y": "failed"}


@in_thread
def test_a_flood_keeps_the_newest_of_each_stream(serve: Serve, mosquitto: Mosquitto) -> None:
    streams = Streams(
        serve(config(mosquitto.port, a='topic = "a/#"') + '[sources.r]\nkind = "random_walk"')
    )
    mosquitto.wait_for(1)
    for qos in (0, 1):
        flood = [(f"a/{n % 40}", n, qos, False) for n in range(3000)]
        mosquitto.say_all(
            [("a/door", f"shut {qos}", qos, False), *flood, ("a/end", qos, qos, False)]
        )
        streams.expect("a.end", qos)
        assert streams.value("a.door") == f"shut {qos}"
        assert [streams.value(f"a.{n}") for n in range(40)] == [*range(2960, 3000)]
    assert streams.health("r") == ("fresh", None)


def journal(folder: Path) -> str:
    """Where the daemon keeps its log, and so the name of its session."""
    return f'[journal]\npath = "{folder}/log.db"\n[streams.a]\nkeep = 1000\n'


@in_thread
def test_messages_sent_while_the_daemon_is_away_are_published(
    start_daemon: StartDaemon, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    text = config(mosquitto.port, a='topic = "a"', b='topic = "b"') + journal(tmp_path)
    daemon = start_daemon(config=text)
    mosquitto.wait_for(2)
    for topic in "ab":
        mosquitto.say(topic, "0")
    streams = Streams(daemon)
    streams.expect("a", 0)
    streams.expect("b", 0)
    daemon.kill()
    mosquitto.say_all([("a", n, 1, False) for n in range(1, 200)])
    daemon.start()
    streams.expect("a", 199)
    # The first messages of a burst are updates of their own, and nothing is out of order.
    assert sorted(streams.history("a")) == streams.history("a")
    streams.expect_health("b", "fresh")  # the broker had nothing for it
    assert streams.health("a") == ("fresh", None)


@in_thread
def test_what_a_broker_does_not_keep_may_be_missing(
    start_daemon: StartDaemon, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    text = config(
        mosquitto.port,
        a='topic = "a/#"',  # without QoS
        b='topic = "b"\nsession = "1s"',
        c='topic = "c"\nversion = 3',
        d='topic = "d"\nversion = 3\nclient_id = "wall"',
    )
    daemon = start_daemon(config=text + journal(tmp_path))
    mosquitto.wait_for(4)
    mosquitto.say("a/1", "1", qos=0)
    mosquitto.say("a/2", "1", qos=0, retain=True)
    for topic in "bcd":
        mosquitto.say(topic, "1")
    streams = Streams(daemon)
    for name in ("a.1", "a.2", "b", "c", "d"):
        streams.expect(name, 1)
    daemon.stop()
    wait_until(lambda: "session expired" in mosquitto.log() or "Expiring" in mosquitto.log())
    daemon.start()
    for name in ("a.1", "b", "c"):
        streams.expect_gap(name)
    streams.expect_health("a.2", "fresh")  # the broker says it again
    streams.expect_health("d", "fresh")
    mosquitto.wait_for(8)
    for topic in ("a/1", "b", "c"):
        mosquitto.say(topic, "1")
    for name in ("a.1", "b", "c"):
        streams.expect_health(name, "fresh")


@in_thread
def test_other_topics_begin_another_session(
    start_daemon: StartDaemon, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    daemon = start_daemon(config=config(mosquitto.port, a='topic = "old/#"') + journal(tmp_path))
    mosquitto.wait_for(1)
    daemon.stop()
    mosquitto.say("old/x", "1")
    text = config(mosquitto.port, a='topic = "new/#"') + journal(tmp_path)
    (daemon.folder / "streamd.toml").write_text(text)
    daemon.start()
    mosquitto.wait_for(2)
    mosquitto.say("old/y", "1")
    mosquitto.say("new/z", "1")
    Streams(daemon).expect("a.z", 1)
    assert Streams(daemon).all().keys() == {"a", "a.z"}  # the first is configured


@in_thread
def test_the_next_node_reads_on(
    start_daemon: StartDaemon, mosquitto: Mosquitto, redis: Redis
) -> None:
    text = config(mosquitto.port, a='topic = "a"')
    text += f'[journal]\nurl = "redis://127.0.0.1:{redis.port}"\n[streams.a]\nkeep = 1000\n'
    one = start_daemon(config=text)
    mosquitto.wait_for(1)
    two = start_daemon(config=text)
    mosquitto.say("a", "1")
    streams = Streams(two)
    streams.expect("a", 1)
    one.kill()
    mosquitto.say("a", "2")
    streams.expect("a", 2)
    assert streams.history("a") == [1, 2]
    assert mosquitto.subscribers() == 2
    assert streams.health("a") == ("fresh", None)


class Device:
    """A device with a last will."""

    def __init__(self, mosquitto: Mosquitto, name: str, will: str, online: str) -> None:
        self.topic = f"home/{name}"
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.will_set(f"{self.topic}/status", will, qos=1, retain=True)
        self.client.connect("127.0.0.1", mosquitto.port)
        self.client.loop_start()
        self.say("status", online)

    def say(self, topic: str, payload: object) -> None:
        told = self.client.publish(f"{self.topic}/{topic}", str(payload), qos=1, retain=True)
        told.wait_for_publish(20)

    def die(self) -> None:
        """Its connection breaks, without a farewell."""
        socket = self.client.socket()
        assert socket is not None
        self.client.loop_stop()
        socket.close()


@in_thread
def test_a_last_will_fails_the_streams_of_its_device(
    serve: Serve, start_daemon: StartDaemon, mosquitto: Mosquitto
) -> None:
    lines = 'topic = "home/+/+"\nstatus = "home/+/status"'
    streams = Streams(serve(config(mosquitto.port, home=lines)))
    mosquitto.wait_for(1)
    oven = Device(mosquitto, "oven", "offline", "online")
    lamp = Device(mosquitto, "lamp", '{"state": "Offline"}', '{"state": "online"}')
    for device in (oven, lamp):
        device.say("power", '{"watts": 60, "volts": 230}')
        device.say("on", "true")
    streams.expect("home.lamp.on", True)
    assert "home.oven.status" not in streams.all()
    oven.die()
    for end in ("on", "power.watts"):
        assert streams.expect_health(f"home.oven.{end}", "failed") == OFFLINE
    assert streams.health("home.lamp.on") == ("fresh", None)

    later = Streams(start_daemon(config=config(mosquitto.port, home=lines)))
    for end in ("on", "power.watts"):  # although the broker sends its old values, in any order
        assert later.expect_health(f"home.oven.{end}", "failed") == OFFLINE
        assert later.value("home.oven.on") is True
    assert later.expect_health("home.lamp.on", "fresh") is None

    oven = Device(mosquitto, "oven", "offline", "online")
    oven.say("on", "true")
    streams.expect_health("home.oven.on", "fresh")
    assert streams.health("home.oven.power.watts") == ("failed", OFFLINE)
    lamp.die()
    streams.expect_health("home.lamp.on", "failed")
    mosquitto.freeze()
    streams.expect_health("home.oven.on", "failed")
    mosquitto.thaw()
    streams.expect_health("home.oven.on", "fresh")
    assert streams.health("home.lamp.on") == ("failed", OFFLINE)
    oven.client.disconnect()
    oven.client.loop_stop()


@in_thread
def test_a_password_that_is_wrong_until_it_is_right(serve: Serve, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, anonymous=False)
    broker.start()
    text = config(broker.port, a='topic = "a"', b='topic = "b"\nversion = 3')
    streams = Streams(serve(text.replace("mqtt://", "mqtt://wall:wr0ng@")))
    for name in "ab":
        error = streams.expect_health(name, "failed")
        assert (error or "").startswith("the broker refuses the connection: "), error
    assert "wr0ng" not in json.dumps(streams.all())
    broker.add_user("wall", "wr0ng")
    broker.wait_for(2)
    broker.say_all([("a", 1, 1, False)], "wall", "wr0ng")
    streams.expect("a", 1)
    finish_all([broker])


@in_thread
def test_tls(serve: Serve, tmp_path: Path) -> None:
    make_certificate(tmp_path)
    port = free_port()
    files = f"certfile {tmp_path}/cert.pem\nkeyfile {tmp_path}/key.pem\ncafile {tmp_path}/cert.pem"
    broker = Mosquitto(
        tmp_path, more=f"listener {port} 127.0.0.1\n{files}\nrequire_certificate true"
    )
    broker.start()
    text = f'url = "mqtts://localhost:{port}"\ntopic = "a/#"\n'
    ca = f'ca = "{tmp_path}/cert.pem"\n'
    own = f'certificate = "{tmp_path}/cert.pem"\nkey = "{tmp_path}/key.pem"\n'
    streams = Streams(
        serve(
            f"[sources.untrusted]\n{text}[sources.unknown]\n{text}{ca}[sources.a]\n{text}{ca}{own}"
            f'[sources.plain]\nurl = "mqtt://localhost:{port}"\ntopic = "a"\n'
            f'[sources.tls]\nurl = "mqtts://localhost:{broker.port}"\ntopic = "a"\n{ca}'
        )
    )
    broker.wait_for(1)
    broker.say_all([(f"a/{n}", "x" * 30_000, 1, False) for n in range(100)])
    streams.expect("a.99", "x" * 30_000)
    error = streams.expect_health("untrusted", "failed")
    assert error == "the certificate of the broker is not trusted"
    closed = "the broker closed the connection"
    for name in ("unknown", "plain", "tls"):
        error = streams.expect_health(name, "failed")
        assert error in (closed, "the broker does not speak TLS as expected"), name
    broker.tracebacks_are_expected = True
    finish_all([broker])


@in_thread
def test_another_server_is_no_broker(serve: Serve) -> None:
    lines = 'topic = "a"\n[sources.gone]\nurl = "mqtt://no-such-host.invalid"\ntopic = "a"'
    streams = Streams(serve(config(serve().port, a=lines)))
    error = streams.expect_health("a", "failed")
    assert error in ("the broker closed the connection", "the broker does not answer")


@in_thread
def test_a_session_that_another_program_takes(serve: Serve, mosquitto: Mosquitto) -> None:
    text = config(mosquitto.port, a='topic = "a"\nclient_id = "wall"')
    streams = Streams(serve(text))
    mosquitto.wait_for(1)
    mosquitto.say("a", "1")
    streams.expect("a", 1)
    other = Client(CallbackAPIVersion.VERSION2, "wall")
    other.connect("127.0.0.1", mosquitto.port)
    other.loop_start()
    streams.expect_health("a", "failed")
    other.disconnect()
    other.loop_stop()
    streams.expect_health("a", "late")  # the other one had another session
    mosquitto.wait_for(2)
    mosquitto.say("a", "2")
    streams.expect_health("a", "fresh")


GOODBYES = {
    0x8E: "another program connects with this client_id",
    0x8B: "the broker: Server shutting down",
    0x97: "the broker refuses the connection: Quota exceeded",
}
"""Reason codes of a broker's DISCONNECT (MQTT 5.0, section 3.14.2), which mosquitto does not send."""


@pytest.mark.parametrize("code", GOODBYES)
@in_thread
def test_a_broker_that_says_why_it_leaves(serve: Serve, code: int) -> None:
    def leave() -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                with listener.accept()[0] as connection, suppress(ConnectionError):
                    connection.recv(1000)
                    connection.sendall(bytes([0x20, 3, 0, 0, 0, 0xE0, 2, code, 0]))
                    connection.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=leave, daemon=True).start()
        streams = Streams(serve(config(listener.getsockname()[1], a='topic = "a"')))
        assert streams.expect_health("a", "failed") == GOODBYES[code]


NO_MQTT = "what answers does not speak MQTT as expected"
SILENT = "the broker does not answer"

LOGIN = b"\x20\3\0\0\0"
"""The answer to CONNECT: it is accepted."""

CODES = b"\x90\4\0\1\0\1"
"""The answer to SUBSCRIBE: one code."""

USER = b"\x26\0\1k\0\1v"
"""A property that a user has made; a packet may have any number."""

BAD_ANSWERS: Mapping[str, tuple[Sequence[bytes | None], str]] = {
    "garbage": ([b"HTTP/1.1 400 Bad Request\r\n" * 9], NO_MQTT),
    "a length that does not end": ([b"\x20" + b"\xff" * 2000], NO_MQTT),
    "a large answer": ([b"\x20\xff\xff\xff\x7f", *[b"x" * 2**16] * 1000], NO_MQTT),
    "properties": ([b"\x20\xfa\xff\3\0\0\xf6\xff\3", USER * 9362], NO_MQTT),
    "no answer": ([b"\xd0"], SILENT),
    "a byte a second": ([b"\x20\3", *[None, b"\0"] * 30], SILENT),
    "no codes": ([LOGIN, b"\x90\3\0\1\0"], NO_MQTT),
    "many codes": ([LOGIN, b"\x90\5\0\1\0\1\1"], NO_MQTT),
    "another code": ([LOGIN, b"\x90\4\0\1\0\x55"], NO_MQTT),
    "a torn answer": ([LOGIN, b"\x90\1\0"], NO_MQTT),
    "a login of another form": ([b"\x20\1\0"], NO_MQTT),
    "large properties": ([LOGIN, CODES, b"\xe0\xff\xff\x7f\0", USER * 300_000], NO_MQTT),
    "a message with QoS 2": ([LOGIN, CODES, b"\x34\7\0\1a\0\1\0007"], NO_MQTT),
    "a message that drips": ([LOGIN, CODES, b"\x30\xff\x7f", *[None, b"\0"] * 30], SILENT),
}
"""What a broker sends -> the reason on the wall.  ``None`` is a pause."""


class BadBroker:
    """Answers each connection with the same bytes, then keeps it open."""

    def __init__(self, answers: Sequence[bytes | None]) -> None:
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                self._open.append(self._listener.accept()[0])
                Thread(target=self._answer, args=[self._open[-1]], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError):
            for answer in self._answers:
                if answer is None:
                    sleep(1)
                    continue
                if answer[:1] in (LOGIN[:1], CODES[:1]):
                    connection.recv(1000)
                connection.sendall(answer)

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()


@pytest.mark.parametrize("name", BAD_ANSWERS)
@in_thread
def test_a_broker_that_sends_anything_fails_its_source_alone(serve: Serve, name: str) -> None:
    answers, reason = BAD_ANSWERS[name]
    broker = BadBroker(answers)
    served = serve(config(broker.port, a='topic = "a"') + '[sources.r]\nkind = "random_walk"')
    streams = Streams(served)
    assert streams.expect_health("a", "failed") == reason
    began, longest = monotonic(), 0.0
    while monotonic() < began + 2:
        asked = monotonic()
        served.run(lambda: None)
        longest = max(longest, monotonic() - asked)
    assert longest < 10
    assert streams.health("r") == ("fresh", None)
    broker.close()


@pytest.mark.parametrize("version", [3, 5])
@in_thread
def test_a_message_that_is_too_long_fails_its_stream_alone(serve: Serve, version: int) -> None:
    five = version == 5
    properties = b"\x80\x80\x40" + b"\x26" * 2**20 if five else b""
    body = b"x" * (2**22 - 3 - len(properties))
    long = b"\x30\x80\x80\x80\2\0\1a" + properties + body
    none = b"\0" if five else b""
    first, after = (
        b"\x30" + bytes([4 + len(none)]) + b"\0\1" + n + none + b"7" for n in (b"a", b"b")
    )
    codes = b"\x90" + bytes([4 + len(none)]) + b"\0\1" + none + b"\1\1"
    broker = BadBroker([LOGIN if five else b"\x20\2\0\0", codes, first, long, after])
    topics = f'topic = {{ a = "a", b = "b" }}\nversion = {version}'
    streams = Streams(serve(config(broker.port, s=topics)))
    streams.expect("s.b", 7)
    streams.expect_health("s.a", "failed")
    assert streams.health("s.b") == ("fresh", None)
    broker.close()


def test_nothing_is_left_when_it_stops_at_once(serve: Serve, mosquitto: Mosquitto) -> None:
    """The fixture looks for what is left on the reactor."""
    serve(config(mosquitto.port, a='topic = "a"'))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("", "sources.a.topic: is missing"),
        ('topic = "a/#/b"', "sources.a.topic: expected a topic such as"),
        ('topic = "a"\nstatus = "a+"', "sources.a.status: expected a topic such as"),
        ("topic = {}", "sources.a.topic: expected 1 to 100 topics"),
        ('topic = "a"\nca = "ca.pem"', "sources.a.ca: expected a url with mqtts://"),
        ('topic = "a"\nversion = 4', "sources.a.version: "),
        ('topic = "a"\npassword = { env = "NO_SUCH" }', "sources.a.password: the environment"),
    ],
)
def test_mistakes(lines: str, problem: str) -> None:
    assert mistake(config(1, a=lines)).startswith(problem)


def test_a_certificate_whose_name_is_too_long_is_a_mistake() -> None:
    said = mistake(f'[sources.a]\nurl = "mqtts://h"\ntopic = "a"\nca = "{"x" * 300}"')
    assert said.startswith("sources.a.ca: cannot use xxx")
    assert "File name too long" in said


@pytest.mark.parametrize("key", ["ca", "certificate", "key"])
def test_a_named_pipe_is_no_certificate(tmp_path: Path, key: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    make_certificate(tmp_path)
    files = {"certificate": "cert.pem", "key": "key.pem", key: "pipe"}
    lines = "\n".join(f'{name} = "{tmp_path / file}"' for name, file in files.items())
    said = mistake(f'[sources.a]\nurl = "mqtts://h"\ntopic = "a"\n{lines}')
    assert said == f"sources.a.{key}: cannot use {tmp_path / 'pipe'}: it is not a regular file"


@pytest.mark.parametrize(
    ("url", "lines", "problem"),
    [
        ("mqtt://h/topic", "", "sources.a.url: expected no path"),
        ("mqtt://h:0", "", 'sources.a.url: expected a URL such as "mqtt://localhost"'),
        ("mqtts://h", 'ca = "no.pem"', "sources.a.ca: cannot use no.pem: "),
        ("mqtts://h", 'certificate = "no.pem"', "sources.a.certificate: cannot use no.pem: "),
        ("mqtts://h", 'key = "no.pem"', "sources.a.key: expected a certificate, too"),
    ],
)
def test_mistakes_in_urls(url: str, lines: str, problem: str) -> None:
    assert mistake(f'[sources.a]\nurl = "{url}"\ntopic = "a"\n{lines}').startswith(problem)


def test_a_driver_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    wanted = f"sources.a.url: {needs_extra('MQTT', 'paho-mqtt', 'mqtt')}"
    assert mistake(config(1, a='topic = "a"')) == wanted


def test_no_text_shows_a_password() -> None:
    text = config(1, a='topic = "a"').replace("//", "//wall:s3cret@")
    settings = parse(text, [KIND]).sources["a"].settings
    assert settings.url.password == "s3cret"
    assert "s3cret" not in repr(settings)


@in_thread
def test_the_configuration_of_the_documentation(
    start_daemon: StartDaemon, mosquitto: Mosquitto
) -> None:
    mosquitto.add_user("wall", "a-password")
    text = pasted("mqtt").replace(":1883", f":{mosquitto.port}")
    daemon = start_daemon(config=text, env={"MQTT_PASSWORD": "a-password"})
    mosquitto.wait_for(3)
    mosquitto.say("plant/hall/temperature", "20.5")
    mosquitto.say("zigbee2mqtt/oven", '{"state": "ON", "power": 900}')
    mosquitto.say("gates/7/counter", '{"value": 12}')
    streams = Streams(daemon)
    for name, value in {"plant.hall": 20.5, "home.oven.power": 900, "gate.cars": 12}.items():
        streams.expect(name, value)
    assert streams.all()["plant.hall"]["unit"] == "°C"
    mosquitto.say("zigbee2mqtt/oven/availability", '{"state": "offline"}')
    assert streams.expect_health("home.oven.power", "failed") == OFFLINE
