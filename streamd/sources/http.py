"""Reads JSON from a URL at an interval, or measures whether and how fast the URL answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
)
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed

from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.core.errors import shorten
from streamd.core.values import BadValue
from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.feed import Feed
from streamd.sources.http_answer import read_json, seconds_to_wait
from streamd.sources.http_client import MALFORMED, HttpClient, ResponseBody, UnreadBody, malformed
from streamd.sources.polling import MAX_LATER, Polling, RetryLater
from streamd.sources.settings import SourceSettings
from streamd.wire.requests import LOG_HEADER

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2

REDIRECTS = frozenset((301, 302, 303, 307, 308))
MAX_REDIRECTS = 5

_PORTS = {"http": 80, "https": 443}


class HttpUrl(str):
    """``http://…`` or ``https://…``."""

    @classmethod
    def parse(cls, written: Any) -> HttpUrl:
        """Parse a configured value; a ValueError says which form is expected."""
        if not isinstance(written, str) or not re.fullmatch(r"https?://[!-~]+", written):
            raise ValueError('expected a URL such as "https://example.org/status.json"')
        parts = urlsplit(written)
        if parts.username is not None or not parts.hostname:
            raise ValueError("expected a host, and no user or password: those belong into headers")
        try:
            port = parts.port
        except ValueError:
            port = 0
        if port == 0:
            raise ValueError("expected a port from 1 to 65535")
        return cls(written)


class Pick:
    """JSON pointers (RFC 6901) into an answer: one for all, or one for each stream."""

    _POINTER = re.compile(r"(/([^~]|~[01])*)?")

    def __init__(self, pointers: Mapping[str, str] | str) -> None:
        self.pointers = pointers

    @classmethod
    def parse(cls, written: Any) -> Pick:
        """Parse a configured value; a ValueError says which form is expected."""
        for pointer in written.values() if isinstance(written, dict) else (written,):
            if not isinstance(pointer, str) or not cls._POINTER.fullmatch(pointer):
                raise ValueError('expected a JSON pointer such as "/data/0/count"')
        return cls(written)

    def out_of(self, document: Any) -> Any:
        """Return the parts that the pointers lead to; a missing part is a :class:`BadValue`."""
        if isinstance(self.pointers, str):
            return follow(self.pointers, document)
        return {member: follow(pointer, document) for member, pointer in self.pointers.items()}


def follow(pointer: str, document: Any) -> Any:
    """Return the part of a document that a JSON pointer leads to, or a :class:`BadValue`."""
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        try:
            if isinstance(document, list) and re.fullmatch("0|[1-9][0-9]{0,9}", token):
                document = document[int(token)]
            elif isinstance(document, dict):
                document = document[token]
            else:
                raise LookupError
        except LookupError:
            return BadValue(f"the answer has nothing at {pointer}"[:200])
    return document


class HttpSettings(SourceSettings, frozen=True):
    """The table ``[sources.NAME]`` with an HTTP ``url``.

    :ivar redirects: follow redirects to other origins.
    :ivar status: publish ``{"up": true, "status": 200, "ms": 12}`` instead of the body.
    """

    url: HttpUrl
    redirects: bool = False
    status: bool = False
    pick: Pick = Pick("")
    headers: dict[str, Secret] = {}
    every: Duration = Duration(5)
    timeout: Duration = Duration(4)


class HttpSource:
    """Requests a URL at an interval."""

    def __init__(
        self, settings: HttpSettings, headers: Mapping[str, str], surroundings: Surroundings
    ) -> None:
        """:param headers: name -> value; the secrets of ``settings.headers`` in plain text."""
        self._url = str(settings.url)
        self._redirects = settings.redirects
        self._pick = settings.pick
        self._timeout = settings.timeout
        self._reactor = reactor = surroundings.reactor
        self._now = surroundings.now
        self._ask = self._ask_status if settings.status else self._ask_value
        self._headers = {"Accept": "application/json", "User-Agent": "streamd", **headers}
        self._client = HttpClient(reactor)
        self._tag: str | None = None
        self._last: Any = None
        self._running: Deferred[Any] | None = None
        self._polling = Polling(self._read, settings.every, reactor)

    def start(self, feed: Feed) -> None:
        self._feed = feed
        self._polling.start(feed)

    def stop(self) -> None:
        self._polling.stop()
        if self._running is not None:
            self._running.cancel()

    def _read(self) -> Deferred[Any]:
        asking = Deferred.fromCoroutine(self._ask())
        self._running = asking.addTimeout(self._timeout, self._reactor)
        return self._running.addErrback(_explain, self._timeout)

    async def _ask_status(self) -> Any:
        """Return the status and the latency of the answer; no answer is also a reading."""
        began = self._reactor.seconds()
        try:
            asking = Deferred.fromCoroutine(self._follow_redirects(dict(self._headers)))
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
        if self._tag is not None:
            headers["If-None-Match"] = self._tag
        response = await self._follow_redirects(headers)
        body = ResponseBody()
        response.deliverBody(body)
        data = await body.whole
        if response.code == 304 and self._tag is not None:
            return self._last
        if response.code != 200:
            raise self._refusal(response)
        types = _header(response, "Content-Type"), _header(response, "Content-Encoding")
        self._last = self._pick.out_of(read_json(data, *types))
        self._tag = _header(response, "ETag") or None
        return self._last

    async def _follow_redirects(self, headers: dict[str, str]) -> Any:
        """Return the first answer that is not a redirect; the caller must read its body."""
        url, own = self._url, str(self._feed.life)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._client.get(url, {**headers, LOG_HEADER: own})
            if _header(response, LOG_HEADER) == own:
                response.deliverBody(UnreadBody())
                raise SourceError("the URL leads to streamd itself", key="url")
            if response.code not in REDIRECTS:
                return response
            response.deliverBody(UnreadBody())
            url, before = _location(url, response), url
            if _origin(url) != _origin(before):
                if not self._redirects:
                    text = "redirected to another origin; redirects = true follows"
                    raise SourceError(text, "({}://{}:{})".format(*_origin(url)), "url")
                headers = {"Accept": "application/json"}  # other servers must not see the rest
        raise SourceError("redirected too often")

    def _refusal(self, response: Any) -> SourceError:
        """Return the error for an answer without a value."""
        phrases = {int(status): status.phrase for status in HTTPStatus}
        text = f"the answer was {response.code} {phrases.get(response.code, '')}".rstrip()
        wait = min(seconds_to_wait(_header(response, "Retry-After"), self._now()), MAX_LATER)
        if response.code not in (429, 503) or not wait:
            return SourceError(text)
        later = RetryLater(f"{text}; the next attempt is in {wait:.0f} s")
        later.seconds = wait
        return later


def _header(response: Any, name: str) -> str:
    """Return a header's first value; an empty string if it is missing."""
    value: bytes = response.headers.getRawHeaders(name.encode(), [b""])[0]
    return value.decode("latin-1")


def _location(url: str, response: Any) -> str:
    """Return the URL that an answer redirects to."""
    location = _header(response, "Location")
    if not location:
        raise SourceError("redirected to nowhere")
    try:
        if not re.fullmatch("[!-~]+", location):
            raise ValueError
        found = urljoin(url, location)
        parts = urlsplit(found)
        if parts.scheme not in ("http", "https"):
            raise SourceError("redirected to what is not HTTP")
        if parts.username is not None:
            raise SourceError("redirected to a URL with a user or a password")
        if not parts.hostname or parts.port == 0:  # to read one that is no number raises as well
            raise ValueError
    except ValueError:
        raise SourceError(f"redirected to {shorten(location)}, which is no URL") from None
    return found


def _origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port, as RFC 6454 compares them."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme]


def _explain(failure: Failure, timeout: float) -> Any:
    """Turn a failure into an error for viewers, which names no addresses and headers."""
    why = failure.value.reasons[0] if isinstance(failure.value, ResponseFailed) else failure
    texts = {
        TimeoutError: f"no answer within {timeout:g} s",
        CancelledError: f"no answer within {timeout:g} s",
        ConnectingCancelledError: f"no answer within {timeout:g} s",
        DNSLookupError: "the host is not known",
        ConnectError: "the host does not accept connections",
        ConnectionClosed: "the connection was lost",
    }
    if kind := why.check(*texts):
        raise Unreachable(texts[kind])
    if type(why.value).__module__.startswith(("OpenSSL", "service_identity")):
        raise Unreachable("the certificate is not trusted", f"({why.value})")
    if malformed(failure):
        raise SourceError(MALFORMED, f"({why.value})")
    return failure


def _make(name: str, settings: HttpSettings, surroundings: Surroundings) -> HttpSource:
    path = f"sources.{name}"
    if settings.url.startswith("https:"):
        try:
            import OpenSSL  # noqa: F401
            import service_identity  # noqa: F401
        except ImportError:
            needs = needs_extra("HTTPS", "pyOpenSSL", "http")
            raise ConfigError([f"{path}.url: {needs}"]) from None
    for header in settings.headers:
        if not _HEADER.fullmatch(header):
            raise ConfigError([f"{path}.headers.{header}: expected a header's name"])
    headers = {
        key: surroundings.reveal(f"{path}.headers.{key}", secret)
        for key, secret in settings.headers.items()
    }
    if settings.status and settings.pick.pointers:
        raise ConfigError([f"{path}.pick: with status = true no answer is read"])
    return HttpSource(settings, headers, surroundings)


KIND = Kind("http", frozenset(("http:", "https:")), HttpSettings, _make)
