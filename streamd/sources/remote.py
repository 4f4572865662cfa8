"""Reads another streamd: its streams appear below the name of the source, with their health.

The position up to which everything was read is the source's cursor.  So each update of the other
log is one update here, over restarts of both daemons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Kind, Surroundings
from streamd.core.errors import Refused
from streamd.core.health.source_health import StreamReport
from streamd.core.presentation import time_text
from streamd.core.values import from_python
from streamd.journals.journal import SourceCursor
from streamd.reactor.timer import Timer
from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.shape import Event as Reading
from streamd.sources.web.event_stream import Event, EventBody, EventStreamSource
from streamd.sources.web.http_client import header_of
from streamd.sources.web.http_get import HttpGetSettings, HttpUrl, headers_of
from streamd.wire.requests import LOG_HEADER

SILENCE = 12.0
"""Seconds without a byte after which the other daemon does not answer: it ticks every five seconds."""

RENEWAL = 1.0
"""Seconds between two times that the health is passed on: it expires after four."""

MAX_HOPS = 8
"""The most logs through which an update may come."""

_NO_STREAMD = "the answer is not one of streamd"


class RemoteSettings(HttpGetSettings, frozen=True, kw_only=True):
    """The table ``[sources.NAME]`` with ``streamd``.

    :ivar streamd: the address of the other daemon.
    :ivar streams: names and globs of its streams.
    :ivar token: a token that may read them.
    """

    streamd: HttpUrl
    streams: list[str] | None = None
    token: Secret | None = None


class _News:
    """The content of a batch of messages, before it is published."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.gone: set[str] = set()
        self.at: str | None = None


class RemoteSource(EventStreamSource):
    """Follows the other daemon, and continues after the last update when the connection ends."""

    _settings: RemoteSettings

    def __init__(self, name: str, settings: RemoteSettings, surroundings: Surroundings) -> None:
        super().__init__(settings, surroundings)
        if settings.whole:
            told = "the streams of another streamd stay as they are"
            raise ConfigError([f"sources.{name}.whole: {told}"])
        headers = headers_of(name, settings, surroundings, "streamd", settings.token)
        self._name = name
        self._zone = surroundings.zone
        self._headers = {"Accept": "text/event-stream", **headers}
        self._log_there = ""  # the life of the other log
        self._ahead = 0.0  # seconds that the other clock is ahead of this one
        self._health: dict[str, Mapping[str, Any]] = {}  # stream there -> its health
        self._looping: set[str] = set()  # streams there that come from here
        self._catching_up = False  # whether newest updates come that may be known
        self._more = True  # whether updates of the hello's answer have yet to come
        self._missing: set[str] = set()  # streams there that have a value, and here have none
        self._renewing = Timer(self._reactor, RENEWAL, self._pass_on)

    async def _follow(self) -> None:
        """Read what was missed and what comes, until the connection ends.

        An unchanged stream may be missing here: it is new in the configured selection, or it was
        forgotten.  Its value is older than the place, so it comes only if everything begins anew.
        """
        self._place = await self._feed.place()
        if self._place is not None:
            await self._read(self._place)
        await self._read(None)
        raise Unreachable("the connection was lost")

    async def _read(self, after: str | None) -> None:
        """Read one connection.

        :param after: the place to continue after.  Then return as soon as it is known that streams
            are missing.  With None everything begins anew.
        :raises Unreachable: the connection was lost.
        """
        body = await self._connect(after)
        self._more, looked = True, False
        try:
            while events := await body.next():
                await self._take(events)
                if not looked and not self._more:
                    looked = True
                    if self._misses() and after is not None:
                        return
        finally:
            body.close()
            self._renewing.stop()
        raise Unreachable("the connection was lost")

    def _misses(self) -> bool:
        """Return whether streams with a value are missing here that were not missing before.

        A stream for which there is no room would otherwise cost all missed updates at each connect.
        """
        valued = {end for end, health in self._health.items() if health["proof"] is not None}
        known, before = self._feed.state.value, self._missing
        self._missing = {e for e in valued - self._looping if known(f"{self._name}.{e}") is None}
        return not self._missing <= before

    async def _connect(self, after: str | None) -> EventBody:
        settings = self._settings
        query = {"format": "v1"}
        if settings.streams is not None:
            query["streams"] = ",".join(settings.streams)
        if after is not None:
            query["after"] = after
        url = f"{settings.streamd.rstrip('/')}/events?{urlencode(query)}"
        body = EventBody(self._reactor, SILENCE, lambda: None)
        response = await self._open(url, self._headers, body)
        self._log_there = header_of(response, LOG_HEADER)
        return body

    def _refusal(self, response: Any, kind: str) -> SourceError:
        if response.code == 200:
            return SourceError(_NO_STREAMD, key="streamd")
        return super()._refusal(response, kind)

    # -- from messages to updates ------------------------------------------------------------------

    async def _take(self, events: Sequence[Event]) -> None:
        """Publish what these messages say, and store the position in the same step."""
        news = _News()
        for event in events:
            try:
                self._hear(_decoded(event), news)
            except (LookupError, TypeError, AttributeError, ValueError):
                raise SourceError(_NO_STREAMD, key="streamd") from None
        place = news.at or self._place
        if news.readings or news.gone or place != self._place:
            cursor = None if place is None else SourceCursor(self._name, self._place, place)
            await self._feed.add_readings(news.readings, cursor, sorted(news.gone))
            self._place = place
        self._pass_on()

    def _hear(self, message: Mapping[str, Any], news: _News) -> None:
        match message.get("type"):
            case "hello":
                self._greet(message, news)
            case "updates":
                self._update(message, news)
            case "streams":
                self._describe(message["streams"], news)
            case "health":
                self._health |= message["health"]
            case "tick":
                self._tick(message)
            case "error":
                raise SourceError(f"the other streamd says: {message['message']}")

    def _greet(self, hello: Mapping[str, Any], news: _News) -> None:
        self._ahead = hello["now"] - self._now()
        self._health = dict(hello["health"])
        self._looping = set()
        self._more = bool(hello["more"])
        self._catching_up = not hello["resumed"] and self._more
        self._describe(hello["streams"], news)
        if not hello["resumed"]:
            news.readings.clear()
            known = {f"{self._name}.{end}" for end in self._health}
            news.gone = set(self._feed.streams) - known - {self._name}
        self._renewing.stop()
        self._renewing.start()

    def _describe(self, streams: Mapping[str, Any], news: _News) -> None:
        own = str(self._feed.life)
        through = {self._log_there}
        for end, description in streams.items():
            if description is None:
                self._health.pop(end, None)
                news.readings = [(parts, time) for parts, time in news.readings if end not in parts]
                news.gone.add(f"{self._name}.{end}")
                continue
            via = description.get("via", [])
            if own in via or len(via) >= MAX_HOPS:
                self._looping.add(end)
            else:
                through |= set(via)
        self._feed.comes_through(through - {""})

    def _update(self, message: Mapping[str, Any], news: _News) -> None:
        for update in message["updates"]:
            end, value, time = update["stream"], update["value"], update["time"]
            if end in self._looping:
                continue
            if not (self._catching_up and self._is_known(end, value, time)):
                news.readings.append(({end: value}, time))
                news.gone.discard(f"{self._name}.{end}")
        self._more = bool(message.get("more", False))
        self._catching_up = self._catching_up and self._more
        news.at = str(message["at"])

    def _is_known(self, end: str, value: Any, time: float) -> bool:
        """Return True if this is the newest update here, too: the other log may have forgotten ours."""
        stream = self._feed.state.get(f"{self._name}.{end}")
        newest = None if stream is None else stream.newest
        if newest is None or newest.time != time:
            return False
        try:
            return newest.value == from_python(value)
        except Refused:
            return False

    # -- health ------------------------------------------------------------------------------------

    def _tick(self, tick: Mapping[str, Any]) -> None:
        self._ahead = tick["now"] - self._now()
        for end, proof in tick["proof"].items():
            if end in self._health:
                self._health[end] = {**self._health[end], "proof": proof}

    def _pass_on(self) -> None:
        """Give the streams here the health that they have there."""
        reports: dict[str, StreamReport] = {}
        for end, health in self._health.items():
            if end in self._looping:
                continue
            name = f"{self._name}.{end}"
            reports[name] = self._report(health)
            if self._feed.state.get(name) is None and reports[name].failure:
                # It failed before it had any value.
                failure = f"{end}: {reports[name].failure}"
                reports.setdefault(self._name, StreamReport(None, failure, False))
        self._feed.pass_on(reports)

    def _report(self, health: Mapping[str, Any]) -> StreamReport:
        state, error, proof = health["state"], health["error"], health["proof"]
        now = self._now()
        here = None if proof is None else min(now, proof - self._ahead)
        if state == "failed":
            return StreamReport(here, error or "it failed there", False)
        if state == "late":
            since = "" if here is None else f" since {time_text(here, now, self._zone)}"
            return StreamReport(None, error or f"not confirmed{since}", True)
        return StreamReport(here, None, False)


def _decoded(event: Event) -> Mapping[str, Any]:
    """Return a message of ``streamd.v1``.

    :raises SourceError: if the event is not such a message.
    """
    try:
        message = msgspec.json.decode(event.data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise SourceError(_NO_STREAMD, key="streamd")
    return message


KIND = Kind("streamd", frozenset(("streamd",)), RemoteSettings, RemoteSource)
