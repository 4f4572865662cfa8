"""Asks Prometheus at an interval: each series of the answer becomes a stream."""

from __future__ import annotations

import base64
from functools import partial

from twisted.internet.defer import Deferred

from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.sources.backfills.backfill import Backfill, NoBackfill
from streamd.sources.errors import SourceError
from streamd.sources.polling import DONE, PolledSource, Polling
from streamd.sources.prometheus.answers import by_labels, series_of
from streamd.sources.prometheus.client import PrometheusClient, in_milliseconds
from streamd.sources.prometheus.past_query import PrometheusPast, PromqlBackfill
from streamd.sources.web.http_get import HttpGetSettings, HttpUrl, headers_of


class PromqlSettings(HttpGetSettings, frozen=True, kw_only=True):
    """The table ``[sources.NAME]`` with ``promql``.

    :ivar url: the address of the server, up to ``/api/v1``.
    :ivar key: the label that names the streams, or a list of labels.
    :ivar token: the token for ``Authorization: Bearer``; None without one.  ``user`` and
        ``password`` are for ``Basic``.
    :ivar backfill: the settings for reading the streams' past; None for no backfill.
    """

    url: HttpUrl
    promql: str
    key: str | list[str] | None = None
    token: Secret | None = None
    user: str | None = None
    password: Secret | None = None
    every: Duration = Duration(5)
    backfill: PromqlBackfill | None = None

    @property
    def labels(self) -> list[str]:
        """The labels that name the streams; none if the source has one stream."""
        return [self.key] if isinstance(self.key, str) else self.key or []

    @property
    def one_stream(self) -> bool:
        """Return whether the source has one stream, with its own name."""
        return self.key is None


class PromqlSource(PolledSource):
    """Runs an instant query at an interval."""

    def __init__(self, name: str, settings: PromqlSettings, surroundings: Surroundings) -> None:
        headers = _headers(name, settings, surroundings)
        self._settings, self._labels = settings, settings.labels
        reactor = surroundings.reactor
        url, redirects = settings.url, settings.redirects
        self._client = PrometheusClient(name, url, headers, redirects, reactor, surroundings.now)
        self._polling = Polling(self._read, settings.every, reactor)
        self.backfill: Backfill | NoBackfill = NoBackfill()
        if settings.backfill is not None:
            of = (name, settings.promql, self._labels, settings.backfill, self._client)
            self.backfill = Backfill(name, partial(PrometheusPast, *of), surroundings)

    def stop(self) -> Deferred[None]:
        self._polling.cancel()
        return self.backfill.stop()

    async def _read(self) -> object:
        timeout = self._settings.timeout
        self._feed.asks()
        form = {"query": self._settings.promql, "timeout": in_milliseconds(timeout)}
        found = series_of(await self._client.ask("query", form, timeout, self._feed.life))
        if self._labels:
            await self._feed.put_all(by_labels(found, self._labels))
        elif not found:
            self._feed.waits("the query gives no value")
        elif len(found) > 1:
            text = f"the query gives {len(found)} series; key names them by a label"
            raise SourceError(text, key="promql")
        else:
            await self._feed.put(found[0][1])
        self.backfill.start(self._feed)
        return DONE


def _headers(name: str, settings: PromqlSettings, surroundings: Surroundings) -> dict[str, str]:
    """Check the settings, and return the headers of requests."""
    path = f"sources.{name}"
    if not settings.promql.strip():
        raise ConfigError([f'{path}.promql: expected a query such as "sum(up)"'])
    if settings.key in ("", []):
        raise ConfigError([f'{path}.key: expected a label such as "instance"'])
    if settings.token is not None and settings.user is not None:
        raise ConfigError([f"{path}.token: expected a token, or a user with a password"])
    if (settings.user is None) != (settings.password is None):
        raise ConfigError([f"{path}.user: expected a user and a password"])
    headers = headers_of(name, settings, surroundings, token=settings.token)
    if settings.user is not None and settings.password is not None:
        password = surroundings.reveal(f"{path}.password", settings.password)
        pair = base64.b64encode(f"{settings.user}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    return headers


KIND = Kind("prometheus", frozenset(("promql",)), PromqlSettings, PromqlSource)
