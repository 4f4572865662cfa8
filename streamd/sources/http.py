"""Reads JSON from a URL at an interval, or measures if and how fast the URL answers."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from streamd.config.fields import ConfigError
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.core.pointer import Pick
from streamd.sources.errors import SourceError
from streamd.sources.polling import PolledSource, Polling
from streamd.sources.web.http_answer import read_json
from streamd.sources.web.http_client import HttpClient, ResponseBody, UnreadBody, explain, header_of
from streamd.sources.web.http_get import (
    HttpGetSettings,
    HttpUrl,
    follow_redirects,
    headers_of,
    refusal,
)


class HttpSettings(HttpGetSettings, frozen=True, kw_only=True):
    """The table ``[sources.NAME]`` with an HTTP ``url``.

    :ivar status: publish ``{"up": true, "status": 200, "ms": 12}`` instead of the body.
    """

    url: HttpUrl
    status: bool = False
    pick: Pick = Pick("")
    every: Duration = Duration(5)


class HttpSource(PolledSource):
    """Requests a URL at an interval."""

    def __init__(self, name: str, settings: HttpSettings, surroundings: Surroundings) -> None:
        headers = headers_of(name, settings, surroundings)
        if settings.status and settings.pick.pointers:
            raise ConfigError([f"sources.{name}.pick: with status = true no answer is read"])
        self._url = str(settings.url)
        self._redirects = settings.redirects
        self._pick = settings.pick
        self._timeout = settings.timeout
        self._reactor = reactor = surroundings.reactor
        self._now = surroundings.now
        self._ask = self._ask_status if settings.status else self._ask_value
        self._headers = {"Accept": "application/json", **headers}
        self._client = HttpClient(reactor)
        self._tag: str | None = None
        self._last: Any = None
        self._polling = Polling(self._read, settings.every, reactor)

    def _read(self) -> Deferred[Any]:
        asking = Deferred.fromCoroutine(self._ask())
        asking.addTimeout(self._timeout, self._reactor)
        return asking.addErrback(explain, self._timeout)

    async def _ask_status(self) -> Any:
        """Return the status and the latency of the answer; no answer is also a reading."""
        began = self._reactor.seconds()
        try:
            asking = Deferred.fromCoroutine(self._get(self._headers))
            response = await asking.addTimeout(self._timeout * 0.9, self._reactor)
        except SourceError:
            raise
        except Exception:
            return {"up": False, "status": None, "ms": None}
        response.deliverBody(UnreadBody())
        ms = round((self._reactor.seconds() - began) * 1000)
        return {"up": response.code < 400, "status": response.code, "ms": ms}

    async def _ask_value(self) -> Any:
        headers = dict(self._headers)
        self._feed.asks()
        if self._tag is not None:
            headers["If-None-Match"] = self._tag
        response = await self._get(headers)
        body = ResponseBody()
        response.deliverBody(body)
        data = await body.whole
        if response.code == 304 and self._tag is not None:
            return self._last
        if response.code != 200:
            raise refusal(response, self._now())
        types = header_of(response, "Content-Type"), header_of(response, "Content-Encoding")
        self._last = self._pick.out_of(read_json(data, *types))
        self._tag = header_of(response, "ETag") or None
        return self._last

    def _get(self, headers: Mapping[str, str]) -> Coroutine[Any, Any, Any]:
        """Return the first answer that is not a redirect; the caller must read its body."""
        get, life = self._client.get, self._feed.life
        return follow_redirects(get, self._url, headers, self._redirects, life)


KIND = Kind("http", frozenset(("http:", "https:")), HttpSettings, HttpSource)
