"""Asks Prometheus at an interval: each series of the answer becomes a stream."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.core.errors import shorten
from streamd.core.names import end_of_name
from streamd.core.values import BadValue
from streamd.sources.errors import SourceError
from streamd.sources.feed import Feed
from streamd.sources.http_answer import read_json
from streamd.sources.http_client import HttpClient, ResponseBody, explain, header_of
from streamd.sources.http_get import (
    HttpUrl,
    check_tls,
    follow_redirects,
    refusal,
    reveal_headers,
)
from streamd.sources.polling import DONE, Polling
from streamd.sources.settings import SourceSettings

MAX_ERROR = 200
"""The most characters of an error of Prometheus that walls show."""

EXACT = 2**53
"""Up to this number every whole number is a double."""

_NO_PROMETHEUS = "the answer is not one of Prometheus"


class PromqlSettings(SourceSettings, frozen=True, kw_only=True):
    """The table ``[sources.NAME]`` with ``promql``.

    :ivar url: the address of the server, up to ``/api/v1``.
    :ivar key: the label that names the streams, or several.
    :ivar token: for ``Authorization: Bearer``; ``user`` and ``password`` for ``Basic``.
    """

    url: HttpUrl
    promql: str
    key: str | list[str] | None = None
    token: Secret | None = None
    user: str | None = None
    password: Secret | None = None
    headers: dict[str, Secret] = {}
    redirects: bool = False
    every: Duration = Duration(5)
    timeout: Duration = Duration(4)


class PromqlSource:
    """Runs an instant query at an interval."""

    _log = Logger()

    def __init__(
        self,
        name: str,
        settings: PromqlSettings,
        headers: Mapping[str, str],
        surroundings: Surroundings,
    ) -> None:
        """:param headers: with the secrets of the settings in plain text."""
        self._name, self._settings = name, settings
        self._reactor, self._now = surroundings.reactor, surroundings.now
        key = settings.key
        self._key = None if key is None else [key] if isinstance(key, str) else key
        self._headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "streamd",
            **headers,
        }
        self._client = HttpClient(self._reactor)
        self._warned: Any = None
        self._polling = Polling(self._run, settings.every, self._reactor)

    def start(self, feed: Feed) -> None:
        self._feed = feed
        self._polling.start(feed)

    def stop(self) -> None:
        self._polling.cancel()

    def _run(self) -> Deferred[Any]:
        timeout = self._settings.timeout
        asking = Deferred.fromCoroutine(self._read())
        asking.addTimeout(timeout, self._reactor)
        return asking.addErrback(explain, timeout)

    async def _read(self) -> object:
        found = series_of(await self._query())
        if self._key is not None:
            await self._feed.put_all(by_labels(found, self._key))
        elif not found:
            self._feed.waits("the query gives no value")
        elif len(found) > 1:
            text = f"the query gives {len(found)} series; key names them by a label"
            raise SourceError(text, key="promql")
        else:
            await self._feed.put(found[0][1])
        return DONE

    async def _query(self) -> Any:
        """Return the ``data`` of the answer to the query."""
        settings = self._settings
        url = f"{settings.url.rstrip('/')}/api/v1/query"
        asking = follow_redirects(
            self._ask, url, self._headers, settings.redirects, self._feed.life
        )
        response = await asking
        body = ResponseBody()
        response.deliverBody(body)
        data = await body.whole
        types = header_of(response, "Content-Type"), header_of(response, "Content-Encoding")
        try:
            answer = read_json(data, *types)
        except SourceError:
            if response.code == 200:
                raise
            answer = None
        if isinstance(answer, dict) and answer.get("status") == "error":
            raise _error(answer)
        if response.code != 200:
            raise refusal(response, self._now())
        if not isinstance(answer, dict) or answer.get("status") != "success":
            raise SourceError(_NO_PROMETHEUS, key="url")
        self._warn(answer.get("warnings"))
        return answer.get("data")

    async def _ask(self, url: str, headers: Mapping[str, str]) -> Any:
        query = {"query": self._settings.promql, "timeout": f"{self._settings.timeout:g}s"}
        return await self._client.request("POST", url, headers, urlencode(query).encode())

    def _warn(self, warnings: Any) -> None:
        """Log what Prometheus warns of, unless it is the same as before."""
        if warnings == self._warned:
            return
        self._warned = warnings
        for warning in (warnings or ())[:5]:
            text = shorten(str(warning), MAX_ERROR)
            self._log.warn(
                "source {source}: Prometheus warns: {text}", source=self._name, text=text
            )


def _error(answer: Mapping[str, Any]) -> SourceError:
    kind, text = answer.get("errorType"), answer.get("error")
    words = f"{kind}: {text}" if kind else str(text)
    return SourceError(words[:MAX_ERROR], key="promql")


Series = tuple[Mapping[str, str], Any]
"""The labels of a series, and its value."""


def series_of(data: Any) -> list[Series]:
    """Return the series in the ``data`` of an answer.

    :raises SourceError: if it has none, because the query gives a range, or is not of Prometheus.
    """
    try:
        kind, result = data["resultType"], data["result"]
        if kind == "vector":
            return [(each["metric"], _value(each)) for each in result]
        if kind == "scalar":
            return [({}, number(result[1]))]
        if kind == "string":
            return [({}, str(result[1]))]
    except (LookupError, TypeError, ValueError):
        raise SourceError(_NO_PROMETHEUS, key="url") from None
    raise SourceError(f"the query gives a {kind}; expected one value for each series", key="promql")


def _value(series: Mapping[str, Any]) -> Any:
    if "histogram" in series:
        return BadValue("a histogram is no value; use histogram_quantile()")
    return number(series["value"][1])


def number(text: str) -> float | int | BadValue:
    """Return a number that Prometheus writes; JSON has no NaN and no infinity.

    :raises ValueError: if it is none.
    """
    value = float(text)
    if math.isnan(value):
        return BadValue("the query gives NaN, which is no number: perhaps 0 / 0")
    if math.isinf(value):
        return BadValue(f"the query gives {text}: perhaps a division by 0")
    return int(value) if value.is_integer() and abs(value) < EXACT else value


def by_labels(found: Sequence[Series], key: Sequence[str]) -> dict[str, Any]:
    """Return values by the ends of their streams' names.

    :param key: the labels that name a stream.
    :raises SourceError: if two series would get the same name.
    """
    streams: dict[str, Any] = {}
    for labels, value in found:
        end = ".".join(end_of_name(labels.get(label) or "null") for label in key)
        if end in streams:
            text = f"two series are {end}: name them by more labels"
            raise SourceError(text, key="key")
        streams[end] = value
    return streams


def _make(name: str, settings: PromqlSettings, surroundings: Surroundings) -> PromqlSource:
    path = f"sources.{name}"
    if not settings.promql.strip():
        raise ConfigError([f'{path}.promql: expected a query such as "sum(up)"'])
    if settings.key in ("", []):
        raise ConfigError([f'{path}.key: expected a label such as "instance"'])
    check_tls(f"{path}.url", settings.url)
    headers = reveal_headers(path, settings.headers, surroundings)
    if settings.token is not None and settings.user is not None:
        raise ConfigError([f"{path}.token: expected a token, or a user with a password"])
    if (settings.user is None) != (settings.password is None):
        raise ConfigError([f"{path}.user: expected a user and a password"])
    if settings.token is not None:
        token = surroundings.reveal(f"{path}.token", settings.token)
        headers["Authorization"] = f"Bearer {token}"
    if settings.user is not None and settings.password is not None:
        password = surroundings.reveal(f"{path}.password", settings.password)
        pair = base64.b64encode(f"{settings.user}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    return PromqlSource(name, settings, headers, surroundings)


KIND = Kind("prometheus", frozenset(("promql",)), PromqlSettings, _make)
