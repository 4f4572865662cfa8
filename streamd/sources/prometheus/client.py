"""Asks the HTTP API of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from streamd.core.errors import shorten
from streamd.sources.errors import SourceError
from streamd.sources.prometheus.answers import MAX_ERROR, error_of, no_prometheus
from streamd.sources.web.http_answer import read_json
from streamd.sources.web.http_client import HttpClient, ResponseBody, explain, header_of
from streamd.sources.web.http_get import follow_redirects, refusal


def in_milliseconds(seconds: float) -> str:
    """Return seconds as a duration that Prometheus can read; it refuses ``1.5s``."""
    return f"{round(1000 * seconds)}ms"


class PrometheusClient:
    """Asks one server, for one source."""

    _log = Logger()

    def __init__(
        self,
        name: str,
        url: str,
        headers: Mapping[str, str],
        redirects: bool,
        reactor: Any,
        now: Callable[[], float],
    ) -> None:
        """:param name: of the source, for the log.

        :param url: the address of the server, up to ``/api/v1``.
        :param headers: with the secrets of the settings in plain text.
        :param redirects: follow redirects to other origins.
        """
        self._name, self._url, self._redirects = name, url.rstrip("/"), redirects
        self._reactor, self._now = reactor, now
        self._headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            **headers,
        }
        self._client = HttpClient(reactor)
        self._warned: Any = None

    def ask(
        self, endpoint: str, form: Mapping[str, str], timeout: float, life: int
    ) -> Deferred[Any]:
        """Return the ``data`` of the answer.

        :param endpoint: such as ``query``.
        :param timeout: the most seconds for the whole answer.
        :param life: see :func:`~streamd.sources.web.http_get.follow_redirects`.
        :raises SourceError: an error of Prometheus has the key ``promql``.
        """
        asking = Deferred.fromCoroutine(self._ask(endpoint, urlencode(form).encode(), life))
        asking.addTimeout(timeout, self._reactor)
        return asking.addErrback(explain, timeout)

    async def _ask(self, endpoint: str, form: bytes, life: int) -> Any:
        async def post(url: str, headers: Mapping[str, str]) -> Any:
            return await self._client.request("POST", url, headers, form)

        url = f"{self._url}/api/v1/{endpoint}"
        response = await follow_redirects(post, url, self._headers, self._redirects, life)
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
            raise error_of(answer)
        if response.code != 200:
            raise refusal(response, self._now())
        if not isinstance(answer, dict) or answer.get("status") != "success":
            raise no_prometheus()
        self._warn(answer.get("warnings"))
        return answer.get("data")

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
