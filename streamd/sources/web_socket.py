"""Reads a WebSocket: each message is published, at a bounded rate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred

from streamd.config.fields import Secret
from streamd.config.kind import Kind, Surroundings
from streamd.core.pointer import Pick
from streamd.sources.feed import Feed
from streamd.sources.incoming_texts import Texts, read_text
from streamd.sources.polling import MIN_RETRY, Polling
from streamd.sources.shape import MessageShape, Shape, check_shape
from streamd.sources.web.http_client import explain
from streamd.sources.web.http_get import (
    HttpGetSettings,
    HttpUrl,
    follow_redirects,
    headers_of,
    refusal,
)
from streamd.sources.web.web_socket_client import SWITCHED, WebSocket, open_web_socket


class WebSocketUrl(HttpUrl):
    """``ws://…`` or ``wss://…``, with a host, and without a user."""

    FORM = re.compile(r"wss?://[!\"$-~]+")
    EXPECTED = 'expected a URL such as "wss://example.org/prices"'


class WebSocketSettings(HttpGetSettings, frozen=True, kw_only=True):
    """The table ``[sources.NAME]`` with a ``url`` of a WebSocket.

    :ivar say: the first message that is sent.
    :ivar protocol: the subprotocol.
    """

    url: WebSocketUrl
    say: Secret | None = None
    protocol: str | None = None
    pick: Pick = Pick("")
    key: str | None = None


class WebSocketSource:
    """Keeps one WebSocket open, and opens a new one when it ends.

    Messages that are sent while no WebSocket is open are lost.  Each stream is then late until its
    next update.
    """

    def __init__(self, name: str, settings: WebSocketSettings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._reactor, self._now = surroundings.reactor, surroundings.now
        self._headers = headers_of(name, settings, surroundings)
        say = settings.say
        self._say = None if say is None else surroundings.reveal(f"sources.{name}.say", say)
        shape = Shape(settings.pick, settings.key, settings.whole)
        self._messages = MessageShape(check_shape(f"sources.{name}", shape))
        self._socket: WebSocket | None = None
        self._heard: float | None = None  # when the connection was alive last
        self._polling = Polling(self._run, MIN_RETRY, self._reactor)

    def start(self, feed: Feed) -> None:
        self._feed = feed
        self._texts = Texts(feed, self._reactor, self._settings.whole, self._read)
        self._polling.start(feed)

    def stop(self) -> None:
        self._texts.stop()
        self._polling.cancel()

    def _run(self) -> Deferred[Any]:
        running = Deferred.fromCoroutine(self._hear())
        return running.addErrback(explain, self._settings.timeout)

    async def _hear(self) -> None:
        """Publish the messages of one connection until it ends."""
        settings = self._settings
        url = "http" + settings.url.removeprefix("ws")
        asking = Deferred.fromCoroutine(
            follow_redirects(self._ask, url, self._headers, settings.redirects, self._feed.life)
        )
        socket = await asking.addTimeout(settings.timeout, self._reactor)
        if socket.code != SWITCHED:
            socket.deliverBody(None)
            raise refusal(socket, self._now())
        try:
            socket.on_life = self._lives
            socket.on_message = self._texts.put
            if self._say is not None:
                socket.sendMessage(self._say.encode())
            self._feed.missed(self._heard)
            await socket.ended
            assert socket.why is not None
            raise socket.why
        finally:
            socket.abort()

    async def _ask(self, url: str, headers: Mapping[str, str]) -> WebSocket:
        protocol = self._settings.protocol
        protocols = [] if protocol is None else [protocol]
        return await open_web_socket(self._reactor, url, headers, protocols)

    def _lives(self) -> None:
        self._heard = self._now()

    def _read(self, text: bytes) -> Any:
        return self._messages.read(read_text(text))


KIND = Kind("websocket", frozenset(("ws:", "wss:")), WebSocketSettings, WebSocketSource)
