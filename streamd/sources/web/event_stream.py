"""Reads event streams (WHATWG HTML, section 9.2): a parser, a body, and the base of two sources."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from streamd.config.kind import Surroundings
from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.polling import MIN_RETRY, PolledSource, Polling
from streamd.sources.web.http_client import HttpClient, UnreadBody, explain, header_of
from streamd.sources.web.http_get import HttpGetSettings, follow_redirects, refusal

MAX_EVENT = 2**20
"""The most bytes of one event, and of one line."""

MAX_ID = 1024
"""The most bytes of an id: it is sent as a header, and stored with each update."""

ROOM = 1000
"""Events that wait; then the server has to wait."""

_LINE_END = re.compile(rb"\r\n|\r|\n")


class Event(NamedTuple):
    """One event.

    :ivar id: the last id that the server has sent so far; empty if it sent none.
    """

    type: str
    data: bytes
    id: str


class EventParser:
    """Turns bytes into events.  Pure.

    :ivar retry: the seconds to wait before a reconnect, if the server has set them.
    """

    def __init__(self) -> None:
        self.retry: float | None = None
        self._pieces: list[bytes] = []  # of a line that has not ended
        self._size = 0
        self._after_return = False
        self._first = True
        self._type, self._id = "", ""
        self._data: list[bytes] = []
        self._length = 0

    def received(self, data: bytes) -> list[Event]:
        """Return the events that end in these bytes.

        :raises SourceError: if an event or a line is too long.
        """
        if not data:
            return []
        if self._after_return:
            data = data.removeprefix(b"\n")
        self._after_return = data.endswith(b"\r")
        begin, *more = _LINE_END.split(data)
        self._grow(begin)
        events: list[Event] = []
        for piece in more:
            line, self._pieces, self._size = b"".join(self._pieces), [], 0
            events += self._line(line)
            self._grow(piece)
        return events

    def _grow(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        self._check(self._size)

    def _check(self, size: int) -> None:
        if size > MAX_EVENT:
            raise SourceError(f"an event is longer than {MAX_EVENT // 2**20} MiB")

    def _line(self, line: bytes) -> list[Event]:
        if self._first:
            self._first = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._end()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._length += len(value) + 1
            self._check(self._length)
        elif name == b"event":
            self._type = value.decode(errors="replace")
        elif name == b"id" and b"\0" not in value and len(value) <= MAX_ID:
            self._id = value.decode(errors="replace")
        elif name == b"retry" and re.fullmatch(b"[0-9]{1,9}", value):
            self.retry = int(value) / 1000
        return []

    def _end(self) -> list[Event]:
        event = Event(self._type or "message", b"\n".join(self._data), self._id)
        found = [event] if self._data else []
        self._type, self._data, self._length = "", [], 0
        return found


class EventBody(Protocol):
    """The body of an answer: a reader takes the events, and the server waits for the reader.

    :ivar parser: the parser that gets the bytes.
    :ivar heard: whether any byte came.
    """

    transport: Any

    def __init__(self, clock: IReactorTime, silence: float, on_life: Any) -> None:
        """:param silence: the longest time in seconds without a byte.

        :param on_life: called for each piece of bytes: the connection is alive.
        """
        self.parser = EventParser()
        self.heard = False
        self._clock, self._silence, self._on_life = clock, silence, on_life
        self._events: list[Event] = []
        self._over: Exception | None = None
        self._waiting: Deferred[None] | None = None
        self._paused = False
        self._watch: IDelayedCall | None = None

    async def next(self) -> list[Event]:
        """Wait for events, and return all that have come; an empty list at the end.

        :raises SourceError: if the connection is silent, or the bytes are not an event stream.
        """
        if not self._events and self._over is None:
            self._waiting = Deferred(self._cancelled)
            await self._waiting
        found, self._events = self._events, []
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()
        if not found and self._over is not None and not isinstance(self._over, EOFError):
            raise self._over
        return found

    def close(self) -> None:
        """End the connection."""
        self._end(EOFError())
        if self.transport is not None:
            self.transport.loseConnection()

    def connectionMade(self) -> None:
        self._watch = self._clock.callLater(self._silence, self._silent)

    def dataReceived(self, data: bytes) -> None:
        if self._over is not None:
            return
        self.heard = True
        assert self._watch is not None
        self._watch.reset(self._silence)
        try:
            self._events += self.parser.received(data)
        except SourceError as error:
            self._end(error)
            self.transport.loseConnection()
            return
        if len(self._events) > ROOM and not self._paused:
            self._paused = True
            self.transport.pauseProducing()
        self._on_life()
        if self._events:
            self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(EOFError())

    def _cancelled(self, waiting: Deferred[None]) -> None:
        self._waiting = None
        self.close()

    def _silent(self) -> None:
        if self._paused:  # it is the reader that is silent
            self._watch = self._clock.callLater(self._silence, self._silent)
            return
        self._end(Unreachable(f"nothing came for {self._silence:g} s"))
        self.transport.loseConnection()

    def _end(self, why: Exception) -> None:
        if self._over is None:
            self._over = why
        if self._watch is not None and self._watch.active():
            self._watch.cancel()
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)


class EventStreamSource(PolledSource):
    """The base of a source that keeps an event stream open, and opens another one when it ends."""

    _settings: HttpGetSettings

    def __init__(self, settings: HttpGetSettings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._reactor, self._now = surroundings.reactor, surroundings.now
        self._client = HttpClient(self._reactor)
        self._place: str | None = None  # as the journal has it
        self._polling = Polling(self._run, MIN_RETRY, self._reactor)

    def _run(self) -> Deferred[Any]:
        running = Deferred.fromCoroutine(self._follow())
        return running.addErrback(explain, self._settings.timeout)

    async def _follow(self) -> None:
        """Open event streams and publish what they say, until one fails."""
        raise NotImplementedError

    async def _open(self, url: str, headers: Mapping[str, str], body: EventBody) -> Any:
        """Ask for an event stream, begin to read it into ``body``, and return the answer.

        :raises SourceError: see :meth:`_refusal`.
        """
        settings, life = self._settings, self._feed.life
        asking = follow_redirects(self._client.get, url, headers, settings.redirects, life)
        response = await Deferred.fromCoroutine(asking).addTimeout(settings.timeout, self._reactor)
        kind = header_of(response, "Content-Type").partition(";")[0].strip().lower()
        if response.code != 200 or kind != "text/event-stream":
            response.deliverBody(UnreadBody())
            raise self._refusal(response, kind)
        response.deliverBody(body)
        return response

    def _refusal(self, response: Any, kind: str) -> SourceError:
        """Return the error for an answer that is not an event stream.

        :param kind: its media type, which is wrong if the status is 200.
        """
        return refusal(response, self._now())
