"""Asks an HTTP server within the rules for sources: redirects, headers, and never streamd itself."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urlsplit

from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Surroundings
from streamd.core.duration import Duration
from streamd.core.parsed_text import FormedText
from streamd.sources.errors import SourceError
from streamd.sources.polling import MAX_LATER, RetryLater
from streamd.sources.settings import SourceSettings
from streamd.sources.web.http_answer import seconds_to_wait
from streamd.sources.web.http_client import (
    MAX_REDIRECTS,
    REDIRECTS,
    UnreadBody,
    header_of,
    location_of,
    origin_of,
)
from streamd.wire.requests import LOG_HEADER

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2


_HARMLESS = ("Accept", "Content-Type")
"""The headers that other origins get, too."""


class HttpGetSettings(SourceSettings, frozen=True, kw_only=True):
    """The keys of every table ``[sources.NAME]`` that asks an HTTP server.

    :ivar redirects: whether to follow redirects to other origins.
    :ivar timeout: the most seconds until the server answers.
    """

    headers: dict[str, Secret] = {}
    redirects: bool = False
    timeout: Duration = Duration(4)


class HttpUrl(FormedText):
    """``http://…`` or ``https://…``, with a host, and without a user."""

    FORM = re.compile(r"https?://[!-~]+")
    EXPECTED = 'expected a URL such as "https://example.org/status.json"'

    @classmethod
    def parse(cls, written: Any) -> Self:
        url = super().parse(written)
        parts = urlsplit(url)
        if parts.username is not None or not parts.hostname:
            raise ValueError("expected a host, and no user or password: those belong into headers")
        try:
            port = parts.port
        except ValueError:
            port = 0
        if port == 0:
            raise ValueError("expected a port from 1 to 65535")
        return url


def headers_of(
    name: str,
    settings: HttpGetSettings,
    surroundings: Surroundings,
    key: str = "url",
    token: Secret | None = None,
) -> dict[str, str]:
    """Return the headers that a source's table configures, in plain text.

    :param key: the key with the URL.
    :param token: for ``Authorization: Bearer``.
    :raises ConfigError: if a header's name is invalid, a secret is missing, or TLS needs a package.
    """
    path = f"sources.{name}"
    check_tls(f"{path}.{key}", getattr(settings, key))
    headers = {}
    for header, secret in settings.headers.items():
        if not _HEADER.fullmatch(header):
            raise ConfigError([f"{path}.headers.{header}: expected a header's name"])
        headers[header] = surroundings.reveal(f"{path}.headers.{header}", secret)
    if token is not None:
        headers["Authorization"] = f"Bearer {surroundings.reveal(f'{path}.token', token)}"
    return headers


def check_tls(path: str, url: str, extra: str = "http") -> None:
    """Raise a ConfigError if a URL needs TLS, and the extra for it is not installed.

    :param path: the key path of the URL.
    """
    if url.startswith(("https:", "wss:")):
        try:
            import OpenSSL  # noqa: F401
            import service_identity  # noqa: F401
        except ImportError:
            what = url.partition(":")[0].upper()
            needs = needs_extra(what, "pyOpenSSL", extra)
            raise ConfigError([f"{path}: {needs}"]) from None


async def follow_redirects(
    ask: Callable[[str, Mapping[str, str]], Awaitable[Any]],
    url: str,
    headers: Mapping[str, str],
    elsewhere: bool,
    life: int,
) -> Any:
    """Return the first answer that is not a redirect; the caller must read its body.

    :param ask: sends a request to a URL with headers.
    :param elsewhere: whether to follow redirects to other origins, which get none of the configured
        headers.
    :param life: the life of this daemon's log: a daemon must not read itself.
    """
    own = str(life)
    for _ in range(MAX_REDIRECTS + 1):
        response = await ask(url, {**headers, LOG_HEADER: own})
        if header_of(response, LOG_HEADER) == own:
            response.deliverBody(UnreadBody())
            raise SourceError("the URL leads to streamd itself", key="url")
        if response.code not in REDIRECTS:
            return response
        response.deliverBody(UnreadBody())
        url, before = location_of(url, response), url
        if origin_of(url) != origin_of(before):
            if not elsewhere:
                text = "redirected to another origin; redirects = true follows"
                raise SourceError(text, "({}://{}:{})".format(*origin_of(url)), "url")
            # Other servers must not see the rest.
            headers = {name: headers[name] for name in _HARMLESS if name in headers}
    raise SourceError("redirected too often")


def status_text(response: Any) -> str:
    """Return an answer's status as a reason for walls: "the answer was 404 Not Found"."""
    phrases = {int(status): status.phrase for status in HTTPStatus}
    return f"the answer was {response.code} {phrases.get(response.code, '')}".rstrip()


def refusal(response: Any, now: float, most: float = MAX_LATER) -> SourceError:
    """Return the error for an answer that is no success, with the pause of ``Retry-After``.

    :param now: seconds since the epoch.
    :param most: the longest pause in seconds for which the server may ask.
    """
    text = status_text(response)
    wait = min(seconds_to_wait(header_of(response, "Retry-After"), now), most)
    if response.code not in (429, 503) or not wait:
        return SourceError(text)
    return later(f"{text}; the next attempt is in {wait:.0f} s", wait)


def later(text: str, seconds: float) -> RetryLater:
    """Return the error of a server that asks for a pause."""
    error = RetryLater(text)
    error.seconds = seconds
    return error
