"""One connection to an MQTT broker: paho-mqtt speaks the protocol, the reactor serves its socket."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from twisted.internet.defer import AlreadyCalledError, CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TwistedTimeoutError
from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from streamd.reactor.worker import Worker
from streamd.sources.brokers.broker_url import explain
from streamd.sources.brokers.mqtt_packets import NotMqtt, SievedContext
from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.incoming_texts import MAX_TEXT

TIMEOUT = 2.0
"""Seconds that a broker has to accept a connection, and to answer."""

KEEPALIVE = 2
"""Seconds without a message after which the broker is asked whether it lives, and has to answer."""

TICK = 0.5
"""Seconds between two looks at the clock for :data:`KEEPALIVE`."""

TURN = 32
"""The most messages that are read before other connections get their turn."""

MAX_PACKET = MAX_TEXT + 2**17
"""The most bytes of a packet: a topic may have 64 KiB."""

BUSY = {"Server unavailable", "Server busy", "Server shutting down", "Unspecified error"}
"""Reasons of MQTT 5.0, section 2.4, for which a broker cannot serve now: it counts as unreachable."""


class MqttMessage(NamedTuple):
    """A message that a broker sent.

    :ivar retained: whether the broker kept it, and sent it because of a subscription.
    :ivar acknowledge: tells the broker not to send it again.
    """

    topic: str
    payload: bytes
    qos: int
    retained: bool
    acknowledge: Callable[[], object]


class Login(NamedTuple):
    """The client that connects, and its credentials.

    :ivar session: for how many seconds the broker keeps messages after the connection has ended.
    :ivar clean: whether the broker drops an older session of this client.
    :ivar version: 3 for MQTT 3.1.1, or 5.  With 3 the broker keeps a session for ever.
    """

    host: str
    port: int
    client_id: str
    user: str
    password: str
    tls: ssl.SSLContext | None
    session: int
    clean: bool
    version: int


@implementer(IReadWriteDescriptor)
class MqttConnection:
    """One connection, from :meth:`open` to :meth:`close`.

    :ivar on_open: called when the broker has accepted the connection, before its first message; the
        argument is whether the broker has kept the session.
    :ivar on_message: called with each message.
    :ivar on_tick: called while the connection is in use, every half a second.
    """

    def __init__(self, reactor: Any, worker: Worker, login: Login) -> None:
        self._reactor = reactor
        self._worker = worker
        self._login = login
        self._ticking: Any = None
        self._fd = -1
        self._closed = False
        self._lost: Deferred[None] = Deferred()
        self._opened: Deferred[None] = Deferred()
        self._subscribed: dict[int, Deferred[Sequence[Any]]] = {}
        self.on_open: Callable[[bool], object] = lambda kept: None
        self.on_message: Callable[[MqttMessage], object] = lambda message: None
        self.on_tick: Callable[[], object] = lambda: None
        self._client, self._options = _make_client(login)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._granted
        self._client.on_message = self._received

    async def open(self) -> None:
        """Connect, and wait until the broker has accepted the connection.

        :raises SourceError: the message says why that is not possible.
        """
        # Looking up the host, TCP and TLS block, so the worker does that, and sends the first packet.
        opening = self._worker.run(self._connect)
        try:
            await opening.addTimeout(2 * TIMEOUT + 1, self._reactor)
        except Exception as error:
            raise explain(error) from error
        self._client.on_socket_register_write = lambda *_: self._wants_to_write()
        self._client.on_socket_unregister_write = lambda *_: self._reactor.removeWriter(self)
        self._client.on_socket_close = lambda *_: self._leave()
        socket = self._client.socket()
        if socket is None:
            raise Unreachable("the broker closed the connection")
        self._fd = socket.fileno()
        self._reactor.addReader(self)
        if self._client.want_write():
            self._reactor.addWriter(self)
        self._tick()
        await self._answer(self._opened)

    async def subscribe(self, filters: Sequence[str]) -> int:
        """Subscribe to topics, with QoS 1.

        :returns: the least QoS that the broker grants.
        :raises SourceError: if it refuses a topic.
        """
        _, number = self._client.subscribe([(text, 1) for text in filters])
        if number is None:
            await self.lost()
            return 0
        answered: Deferred[Sequence[Any]] = Deferred()
        self._subscribed[number] = answered
        codes = await self._answer(answered)
        if len(codes) != len(filters):
            raise NotMqtt(f"({len(codes)} codes for {len(filters)} topics)")
        for text, code in zip(filters, codes, strict=True):
            if code.is_failure:
                raise SourceError(f"the broker refuses a topic: {code}", f"({text})", "topic")
        return min(int(code.value) for code in codes)

    async def lost(self) -> None:
        """Wait until the connection ends.

        :raises SourceError: the message says why it ended.
        """
        await self._lost

    def fail(self, error: BaseException) -> None:
        """End the connection with an error of a message or of the journal."""
        self._later(self._lost.errback, Failure(error))

    def close(self) -> None:
        """End the connection now.  The broker keeps the session."""
        if self._ticking is not None and self._ticking.active():
            self._ticking.cancel()
        self._client.on_message = self._client.on_disconnect = None
        self._client.disconnect()
        if self._fd >= 0:
            self._client.loop_write()  # sends what the socket takes at once
        self._leave()
        self._closed = True
        self._lost.addErrback(lambda failure: None)
        self._close_socket()

    # -- the reactor calls -------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._fd

    def logPrefix(self) -> str:
        """Return the name for the log."""
        return "MQTT"

    def doRead(self) -> None:
        """Handle the packet that has arrived."""
        try:
            for _ in range(TURN):
                self._client.loop_read()
                socket: Any = self._client.socket()
                # What the sieve has passed on does not make the descriptor readable.
                if socket is None or not socket.pending():
                    return
            self._reactor.callLater(0, self._read_on)
        except Exception as error:
            self._broken(error)

    def _read_on(self) -> None:
        if self._fd >= 0:
            self.doRead()

    def doWrite(self) -> None:
        """Send waiting packets."""
        try:
            self._client.loop_write()
        except Exception as error:
            self._broken(error)

    def connectionLost(self, reason: Failure) -> None:
        """Note that the reactor found the descriptor unusable."""
        self._leave()
        self.fail(Unreachable("the broker closed the connection"))

    def _tick(self) -> None:
        self._ticking = self._reactor.callLater(TICK, self._tick)
        try:
            self._client.loop_misc()
            if self._client.is_connected():
                self.on_tick()
        except Exception as error:
            self._broken(error)

    # -- paho calls --------------------------------------------------------------------------------

    def _connected(self, client: Any, _: Any, flags: Any, code: Any, more: Any) -> None:
        if code.is_failure:
            self.fail(_refusal(code))
        elif not self._opened.called:
            self.on_open(bool(flags.session_present))
            self._later(self._opened.callback, None)

    def _disconnected(self, client: Any, _: Any, flags: Any, code: Any, more: Any) -> None:
        if not flags.is_disconnect_packet_from_server:
            if str(code) == "Protocol error":  # paho cannot read what came
                self.fail(NotMqtt())
                return
            silent = str(code) == "Keep alive timeout"
            text = "the broker does not answer" if silent else "the broker closed the connection"
            self.fail(Unreachable(text, f"({code})"))
        elif str(code) == "Session taken over":
            self.fail(SourceError("another program connects with this client_id", key="client_id"))
        else:
            self.fail(_refusal(code))

    def _granted(self, client: Any, _: Any, number: int, codes: Sequence[Any], more: Any) -> None:
        if number in self._subscribed:
            self._later(self._subscribed.pop(number).callback, codes)

    def _received(self, client: Any, _: Any, message: Any) -> None:
        number, qos = message.mid, message.qos

        def acknowledge() -> None:
            if client.is_connected():
                client.ack(number, qos)

        try:
            topic = message.topic
        except UnicodeError:  # the protocol forbids it, so no filter means it
            acknowledge()
            return
        retained = bool(message.retain)
        self.on_message(MqttMessage(topic, bytes(message.payload), qos, retained, acknowledge))

    # -- internals ---------------------------------------------------------------------------------

    def _connect(self) -> None:
        """Connect; runs in the worker."""
        login = self._login
        self._client.connect(login.host, login.port, KEEPALIVE, **self._options)
        if self._closed:  # meanwhile: nobody waits for this connection
            self._close_socket()

    def _later(self, fire: Callable[[Any], object], result: Any) -> None:
        """Fire a Deferred, unless it has fired.

        It fires after the callback of paho that calls this, because paho holds a lock meanwhile: to
        close the connection would then wait for ever.
        """

        def fire_once() -> None:
            with suppress(AlreadyCalledError):
                fire(result)

        self._reactor.callLater(0, fire_once)

    async def _answer(self, answer: Deferred[Any]) -> Any:
        """Wait for an answer of the broker; fail if the connection ends, or if it takes too long."""

        def end(result: Any) -> Any:
            if not answer.called:
                answer.errback(result if isinstance(result, Failure) else Failure(CancelledError()))
                return None
            return result

        self._lost.addBoth(end)
        try:
            return await answer.addTimeout(TIMEOUT, self._reactor)
        except TwistedTimeoutError:
            raise Unreachable("the broker does not answer") from None

    def _broken(self, error: Exception) -> None:
        """End the connection with an error of the sieve, or one that nobody expected."""
        self._leave()
        self.fail(error)

    def _wants_to_write(self) -> None:
        if self._fd >= 0:  # paho answers also after _leave()
            self._reactor.addWriter(self)

    def _close_socket(self) -> None:
        socket: Any = self._client.socket()
        if socket is not None:
            socket.close()

    def _leave(self) -> None:
        """Let the reactor forget the socket, while it still has its descriptor."""
        if self._fd >= 0:
            self._reactor.removeReader(self)
            self._reactor.removeWriter(self)
            self._fd = -1


def _refusal(code: Any) -> SourceError:
    """Return the error for a reason code of the broker."""
    text = str(code)
    if text in BUSY:
        return Unreachable(f"the broker: {text}")
    return SourceError(f"the broker refuses the connection: {text}", key="url")


def _make_client(login: Login) -> tuple[Any, dict[str, Any]]:
    """Return paho's client, and the options of its method ``connect``."""
    from paho.mqtt import client, enums, packettypes, properties

    five = login.version == 5
    made = client.Client(
        enums.CallbackAPIVersion.VERSION2,
        login.client_id,
        clean_session=None if five else login.clean,
        protocol=client.MQTTv5 if five else client.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    made.connect_timeout = TIMEOUT
    if login.user or login.password:
        made.username_pw_set(login.user, login.password)
    sieved: Any = SievedContext(login.tls, five)
    made.tls_set_context(sieved)
    if not five:
        return made, {}
    asked = properties.Properties(packettypes.PacketTypes.CONNECT)
    asked.SessionExpiryInterval = login.session
    asked.MaximumPacketSize = MAX_PACKET
    return made, {"clean_start": login.clean, "properties": asked}
