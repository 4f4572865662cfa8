"""Reads MQTT: each message of a topic is the newest value of a stream."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar, Literal

import msgspec
from twisted.internet.defer import Deferred

from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.core.names import is_below
from streamd.core.pointer import Pick
from streamd.core.record import read_record
from streamd.core.values import BadValue
from streamd.reactor.deadline import Deadline
from streamd.reactor.worker import Worker
from streamd.sources.brokers.broker_url import BrokerUrl, tls_context
from streamd.sources.brokers.inbox import Inbox
from streamd.sources.brokers.mqtt_client import KEEPALIVE, Login, MqttConnection, MqttMessage
from streamd.sources.brokers.mqtt_topics import TopicFilter, Topics
from streamd.sources.errors import Unreachable
from streamd.sources.feed import SETTLED, Feed
from streamd.sources.incoming_texts import read_text_or_why
from streamd.sources.polling import MIN_RETRY, Polling
from streamd.sources.settings import SourceSettings

SESSION = "session"
"""The kind of the records that say which session at the broker belongs to a source."""

MAX_DEVICES = 10_000
"""The most devices that are remembered as offline."""

OFFLINE = "the device went offline, and has sent no value since"


class MqttUrl(BrokerUrl):
    """``mqtt://user:password@host:1883``, or ``mqtts://…`` for TLS."""

    PORTS: ClassVar = {"mqtt": 1883, "mqtts": 8883}


class MqttSettings(SourceSettings, frozen=True, kw_only=True):
    """The table ``[sources.NAME]`` with an MQTT ``url``.

    :ivar topic: the topics to read, by the beginnings of streams' names.
    :ivar status: the topics that say whether a device is online; often devices' last wills.
    :ivar offline: the text of a ``status`` message when the device is offline.
    :ivar client_id: the name of the session at the broker; None for a random one.
    :ivar session: how long the broker keeps messages while streamd is away.
    :ivar version: the version of the protocol; 3 is MQTT 3.1.1.
    :ivar ca: see :func:`tls_context`, also for ``certificate`` and ``key``.
    """

    url: MqttUrl
    topic: Topics
    status: TopicFilter | None = None
    offline: str = "offline"
    pick: Pick = Pick("")
    password: Secret | None = None
    client_id: str | None = None
    session: Duration = Duration(3600)
    version: Literal[3, 5] = 5
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None


class Session(msgspec.Struct, frozen=True):
    """The session at the broker, as the journal keeps it.

    :ivar topics: the subscriptions.
    :ivar lossy: whether streamd got a message that the broker does not keep for the session (QoS
        0).
    """

    client_id: str
    topics: list[str]
    lossy: bool = False


class MqttSource:
    """Keeps one connection to a broker, and makes a new one when it breaks or hangs.

    The broker keeps the session while there is no connection, and then sends the messages of that
    time.  If it has not kept the session or every message, messages may be missing.  Each connect
    subscribes to the topics again, because the broker then sends the retained messages again.
    """

    def __init__(
        self, settings: MqttSettings, password: str, tls: Any, surroundings: Surroundings
    ) -> None:
        """:param tls: an :class:`ssl.SSLContext`; None for connections without TLS."""
        self._settings = settings
        self._password = password
        self._tls = tls
        self._reactor, self._now = surroundings.reactor, surroundings.now
        self._worker = Worker(surroundings.reactor, "mqtt")
        self._topics = [*settings.topic, *([settings.status.text] if settings.status else [])]
        self._polling = Polling(self._run, MIN_RETRY, self._reactor)
        self._soon = Deadline(self._reactor)  # then what the broker has kept was read
        self._heard: float | None = None  # until when nothing was missed
        self._offline: set[str] = set()  # the devices, by the ends of their streams' names
        self._session = self._stored = Session("", [])

    def start(self, feed: Feed) -> None:
        self._feed = feed
        self._inbox = Inbox(feed, self._reactor, self._settings.whole)
        self._polling.start(feed)

    def stop(self) -> None:
        self._polling.cancel()
        self._worker.stop()

    async def _run(self) -> None:
        """Read until the connection ends."""
        known = await self._known_session()
        link = MqttConnection(self._reactor, self._worker, self._login(known is None))
        refused = Unreachable("a message was not stored; the broker will send it again")
        self._inbox.on_refused = lambda: link.fail(refused)
        link.on_open = lambda kept: self._opened(kept and known is not None)
        link.on_message = self._received
        link.on_tick = self._lives
        try:
            await link.open()
            if await link.subscribe(self._topics) < 1:
                self._session = msgspec.structs.replace(self._session, lossy=True)
            await self._keep_session()
            await link.lost()
        finally:
            self._soon.cancel()
            self._inbox.clear()
            link.close()

    # -- the session -------------------------------------------------------------------------------

    async def _known_session(self) -> Session | None:
        """Find the session that this source has at the broker, or begin one.

        :returns: None if there is none with these topics.
        """
        record = await self._feed.record(SESSION)
        known = read_record(record, Session) or Session("", [])
        mine = self._settings.client_id
        client_id = mine or known.client_id or f"streamd-{secrets.token_hex(8)}"
        if (known.client_id, known.topics) == (client_id, self._topics):
            self._session = self._stored = known
            return known
        self._session = Session(client_id, self._topics)
        return None

    async def _keep_session(self) -> None:
        """Store the session in the journal, so that the next run finds it."""
        if self._session != self._stored:
            self._stored = self._session
            await self._feed.keep_record(SESSION, msgspec.json.encode(self._session))

    def _login(self, clean: bool) -> Login:
        """:param clean: begin a new session: the one at the broker, if any, has other topics."""
        url, settings = self._settings.url, self._settings
        if settings.version == 3:  # a clean session does not last
            clean = settings.client_id is None
        return Login(
            url.host,
            url.port,
            self._session.client_id,
            url.user,
            self._password,
            self._tls,
            round(settings.session),
            clean,
            settings.version,
        )

    def _opened(self, kept: bool) -> None:
        """:param kept: whether the broker has kept the session since the last connection."""
        if kept and not self._session.lossy:
            self._soon.set(SETTLED, self._caught_up)
        else:
            self._feed.missed(self._heard)
        for device in self._offline:
            self._inbox.fail(device, OFFLINE)

    def _caught_up(self) -> None:
        self._inbox.flush()
        self._feed.resumed()

    def _lives(self) -> None:
        # If the broker hangs, that is noticed only after these seconds.
        self._heard = self._now() - 2 * KEEPALIVE

    # -- messages ----------------------------------------------------------------------------------

    def _received(self, message: MqttMessage) -> None:
        if message.qos == 0 and not message.retained and not self._session.lossy:
            self._session = msgspec.structs.replace(self._session, lossy=True)
            keeping = Deferred.fromCoroutine(self._keep_session())
            keeping.addErrback(self._feed.failed)
        status = self._settings.status
        device = None if status is None else status.match(message.topic)
        if device is not None:
            self._tell_status(device, message)
            return
        end = self._settings.topic.match(message.topic)
        if end is None:  # of a subscription that is not ours
            message.acknowledge()
        elif not message.payload:  # a retained message was deleted
            self._inbox.forget(end, message.acknowledge)
        else:
            self._publish(end, message)

    def _publish(self, end: str, message: MqttMessage) -> None:
        value = read_text_or_why(message.payload)
        if not isinstance(value, BadValue):
            value = self._settings.pick.out_of(value)
        self._inbox.put(end, value, message.acknowledge)
        devices = {device for device in self._offline if is_below(end, device)}
        if message.retained and devices:  # an old value: the broker sends it in any order
            self._inbox.fail(end, OFFLINE)
        else:
            self._offline -= devices  # who sends is online

    def _tell_status(self, device: str, message: MqttMessage) -> None:
        """Fail the streams of a device that went offline, each until its next value."""
        value = read_text_or_why(message.payload)
        if isinstance(value, dict):  # Zigbee2MQTT: {"state": "offline"}
            value = value.get("state")
        if str(value).casefold() != self._settings.offline.casefold():
            self._offline.discard(device)
        elif device not in self._offline and len(self._offline) < MAX_DEVICES:
            self._offline.add(device)
            self._inbox.fail(device, OFFLINE)
        message.acknowledge()


def _make(name: str, settings: MqttSettings, surroundings: Surroundings) -> MqttSource:
    path = f"sources.{name}"
    for key in ("ca", "certificate", "key"):
        if getattr(settings, key) is not None and not settings.url.tls:
            raise ConfigError([f"{path}.{key}: expected a url with mqtts://"])
    if settings.key is not None and settings.certificate is None:
        raise ConfigError([f"{path}.key: expected a certificate, too"])
    if settings.url.path:
        raise ConfigError([f"{path}.url: expected no path; the topic is a key of its own"])
    try:
        import paho.mqtt.client  # noqa: F401
    except ImportError:
        raise ConfigError([f"{path}.url: {needs_extra('MQTT', 'paho-mqtt', 'mqtt')}"]) from None
    password = settings.url.password
    if settings.password is not None:
        password = surroundings.reveal(f"{path}.password", settings.password)
    tls = None
    if settings.url.tls:
        tls = tls_context(path, surroundings, settings.ca, settings.certificate, settings.key)
    return MqttSource(settings, password, tls, surroundings)


KIND = Kind("mqtt", frozenset(("mqtt:", "mqtts:")), MqttSettings, _make)
