"""One connection to an AMQP broker: pika speaks the protocol, on a connection of Twisted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from typing import Any, NamedTuple

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from streamd.reactor.deadline import Deadline
from streamd.sources.brokers.amqp_errors import (
    NotThere,
    Shared,
    channel_refusal,
    connection_refusal,
)
from streamd.sources.brokers.amqp_frames import NotAmqp, Sieve
from streamd.sources.brokers.amqp_login import AmqpLogin, make_pika
from streamd.sources.brokers.amqp_receipts import Receipts
from streamd.sources.brokers.broker_url import NO_ANSWER, explain
from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.polling import PING

TIMEOUT = 3.0
"""Seconds that a broker has to accept a connection, and to answer."""

FOREIGN = "what answers does not speak AMQP 0-9-1"

FAREWELL = 1.0
"""Seconds that a broker has to close a connection."""

PREFETCH = 500
"""The most messages that a broker sends in advance of their acknowledgements."""

MAX_WAITING = 20_000
"""The most messages that wait in a queue of streamd's own; then the broker drops the oldest.

It is more than streamd receives in a second.
"""


class AmqpMessage(NamedTuple):
    """A message that a broker sent.

    :ivar kept: whether the broker has it on disk until it is acknowledged.
    :ivar acknowledge: tells the broker to forget it.
    """

    key: str
    body: bytes
    kept: bool
    acknowledge: Callable[[], object]


class AmqpConnection(Protocol):
    """One connection with one channel, from :meth:`open` to :meth:`close`.

    :ivar on_message: called with each message.
    :ivar waiting: how many messages waited in the queue when streamd last asked the broker.
    :ivar on_proof: called about every second when the broker has answered.  Its arguments are the
        seconds until the answer, and the most messages that may have waited in the queue since the
        last call.
    :ivar gone: fires when the connection is closed.
    """

    transport: Any = None

    def __init__(self, reactor: Any, login: AmqpLogin) -> None:
        self._reactor, self._login = reactor, login
        self.on_message: Callable[[AmqpMessage], object] = lambda message: None
        self.on_proof: Callable[[float, int], object] = lambda took, waiting: None
        self.gone: Deferred[None] = Deferred()
        self._pika = make_pika(reactor, login)
        self._ready = self._pika.ready
        self._sieve = Sieve()
        self._channel: Any = None
        self._about = "", ""  # the key of the table that says what is read, and the name
        self._queue = ""
        self._keys = cycle([""])
        self._consumers = 0  # of this connection
        self._lost: Deferred[None] = Deferred()
        self._broken: Exception | None = None  # what came that nobody can read
        self._cut: BaseException | None = None  # why the line has ended
        self._ended = self._silent = False
        self._heard = 0.0  # when the last bytes came
        self._running: list[Deferred[None]] = []
        self._limit = Deadline(reactor)  # of the answer that is waited for
        self._leaving = Deadline(reactor)
        self._receipts = Receipts(reactor)
        self.waiting = self._came = 0  # _came: messages since the last proof

    # -- for the source ----------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, log in, and open the channel.

        :raises SourceError: the message says why that is not possible.
        """
        login = self._login
        endpoint: Any = HostnameEndpoint(self._reactor, login.host, login.port, TIMEOUT)
        if login.tls is not None:
            endpoint = wrapClientTLS(login.tls, endpoint)
        factory = Factory.forProtocol(lambda: self)
        factory.noisy = False
        await self._answer(endpoint.connect(factory))
        await self._answer(_apart(self._ready))
        self._channel = await self._answer(_apart(self._pika.channel()))
        self._channel.on_closed.addCallback(lambda error: self.fail(self._reason(error)))
        self._receipts.channel = self._channel
        await self._answer(self._ask("basic_qos", prefetch_count=PREFETCH))

    async def use_queue(self, name: str) -> None:
        """Choose a queue that exists.

        :raises SourceError: if it does not exist, or if another program reads it.
        """
        self._about, self._queue = ("queue", name), name
        await self._answer(Deferred.fromCoroutine(self._look()))

    async def bind(self, exchange: str, keys: Sequence[str]) -> None:
        """Make a queue for the messages that an exchange gets with one of these keys.

        :raises SourceError: if that is not possible.
        """
        self._about = "exchange", exchange
        # A virtual host may have another type as its default.
        bounds = {"x-max-length": MAX_WAITING, "x-queue-type": "classic"}
        declaring = self._ask(
            "queue_declare", "", exclusive=True, auto_delete=True, arguments=bounds
        )
        self._queue = (await self._answer(declaring)).method.queue
        self._keys = cycle(keys)
        for _ in keys:
            await self._answer(self._bind_next())

    async def consume(self) -> None:
        """Begin to receive messages, and to ask every second whether the broker lives."""
        arriving, _ = await self._answer(self._ask("basic_consume", self._queue))
        self._consumers = 1
        for task in (self._receive(arriving), self._watch()):
            running = Deferred.fromCoroutine(task)
            self._running.append(running)
            running.addErrback(lambda failure: self.fail(self._reason(failure)))

    async def lost(self) -> None:
        """Wait until the connection ends.

        :raises SourceError: the message says why it ended.
        """
        await self._lost

    def fail(self, error: BaseException) -> None:
        """End the use of the connection with an error; nothing more is acknowledged."""
        if not self._ended:
            self._ended = True
            self._receipts.stop()
            # pika may be at work in the caller, and to close it would be work in between.
            self._reactor.callLater(0, self._fire, Failure(error))

    def close(self) -> None:
        """End the connection.

        The broker sends unacknowledged messages again, to the next reader.
        """
        self._ended = True
        self._receipts.stop()
        self._fire(Failure(CancelledError()))
        self._lost.addErrback(lambda _: None)
        for running in self._running:
            running.cancel()
        if self.transport is None:
            self.gone.callback(None)
        elif self._cut is None:
            self._leaving.set(0, self._leave)

    # -- Twisted calls -----------------------------------------------------------------------------

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        transport.setTcpNoDelay(True)
        self._pika.makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        self._heard = self._reactor.seconds()
        try:
            for frame in self._sieve.take(data):
                self._pika.dataReceived(frame)
        except Exception as error:
            detail = "" if isinstance(error, NotAmqp) else f"({type(error).__name__}: {error})"
            self._broken = self._broken or SourceError(FOREIGN, detail, "url")
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        assert reason.value is not None
        self._cut = reason.value
        self._leaving.cancel()
        try:
            self._pika.connectionLost(reason)
        finally:
            self.fail(self._reason(self._cut))
            self.gone.callback(None)

    # -- what runs while the connection is in use --------------------------------------------------

    async def _receive(self, arriving: Any) -> None:
        from pika.exceptions import ConsumerCancelled

        while True:
            try:
                _, method, _, body = await arriving.get()
            except ConsumerCancelled:
                raise NotThere("the broker has deleted or moved the queue") from None
            self._came += 1
            key = method.routing_key
            if isinstance(key, bytes):  # not UTF-8
                key = key.decode(errors="replace")
            acknowledge = partial(self._receipts.add, method.delivery_tag)
            self.on_message(AmqpMessage(key, body, self._sieve.kept, acknowledge))

    async def _watch(self) -> None:
        while True:
            asked = self._reactor.seconds()
            asking = [Deferred.fromCoroutine(self._look())]
            if self._about[0] == "exchange":
                # Somebody may have made the exchange anew, and it would not know the queue.
                asking.append(self._bind_next())
            await self._answer(gatherResults(asking, consumeErrors=True), True)
            # What waited at any time since then waits still, or has come.
            self.on_proof(self._reactor.seconds() - asked, self.waiting + self._came)
            self._came = 0
            await deferLater(self._reactor, PING, lambda: None)

    async def _look(self) -> None:
        """Ask how many messages wait in the queue; those that do not wait have come before the answer.

        :raises Shared: if another program takes messages from it.
        """
        queue = (await self._ask("queue_declare", self._queue, passive=True)).method
        if queue.consumer_count > self._consumers:
            raise Shared("another program takes messages from the queue, too")
        self.waiting = int(queue.message_count)

    def _bind_next(self) -> Deferred[Any]:
        return self._ask("queue_bind", self._queue, self._about[1], next(self._keys))

    # -- internals ---------------------------------------------------------------------------------

    def _ask(self, method: str, *args: Any, **options: Any) -> Deferred[Any]:
        """Call a method of the channel; fires with the broker's answer."""
        return _apart(getattr(self._channel, method)(*args, **options))

    async def _answer(self, answer: Deferred[Any], patiently: bool = False) -> Any:
        """Wait for an answer of the broker.

        :param patiently: wait as long as anything comes: messages that were sent before may be long.
        :raises SourceError: if none comes, or if it is a refusal.
        """
        self._heard = self._reactor.seconds()
        self._limit.set(TIMEOUT, partial(self._expire, answer, patiently))
        try:
            return await answer
        except Exception as error:
            if self._silent:
                raise Unreachable(NO_ANSWER) from None
            if isinstance(error, CancelledError):
                raise
            raise self._reason(error) from error
        finally:
            self._limit.cancel()

    def _expire(self, answer: Deferred[Any], patiently: bool) -> None:
        rest = self._heard + TIMEOUT - self._reactor.seconds()
        if patiently and rest > 0:
            self._limit.set(rest, partial(self._expire, answer, patiently))
        else:
            self._silent = True
            answer.cancel()

    def _reason(self, error: Any) -> Exception:
        """Return the error that walls may show, for an exception or a :class:`Failure` with one."""
        if isinstance(error, FirstError):
            error = error.subFailure
        if isinstance(error, Failure):
            error = error.value
        if isinstance(error, SourceError):
            return error
        if self._broken is not None:
            return self._broken
        if self._sieve.goodbye is not None:
            return connection_refusal(*self._sieve.goodbye, self._login.vhost)
        if self._cut is None and hasattr(error, "reply_code"):
            return channel_refusal(error.reply_code, error.reply_text, *self._about)
        return explain(self._cut or error)

    def _fire(self, failure: Failure) -> None:
        if not self._lost.called:
            self._lost.errback(failure)

    def _leave(self) -> None:
        if self._pika.is_open and not self._silent:
            self._leaving.set(FAREWELL, self.transport.abortConnection)
            self._pika.close()
        else:
            self.transport.abortConnection()


def _apart(asked: Deferred[Any]) -> Deferred[Any]:
    """Return a Deferred that can be cancelled: pika fires its own ones later, in any case."""
    apart: Deferred[Any] = Deferred()
    asked.addBoth(lambda result: None if apart.called else apart.callback(result))
    return apart
