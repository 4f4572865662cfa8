"""``GET /metrics``: the numbers of this daemon, in the formats of Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from streamd.http.access.access import Access
from streamd.http.request import Request, Response, Routes

Expose = Callable[[str], tuple[bytes, str]]
"""Makes the text of all metrics from the header ``Accept``; returns it with its content type."""


class Metrics:
    """Answers ``GET /metrics``.

    A program with a token of ``[access] metrics`` or ``admin`` may read.  A program on this machine
    may read without one.  On a port of their own, everybody may read them, unless ``[access]
    metrics`` has tokens.
    """

    def __init__(self, access: Access, expose: Expose, own_port: bool = False) -> None:
        """:param own_port: whether the port has only this path."""
        self._access = access
        self._expose = expose
        self._own_port = own_port

    @property
    def routes(self) -> Routes:
        return {"/metrics": {"GET": self.get_metrics}}

    def get_metrics(self, request: Request) -> Response:
        """``GET /metrics``: the metrics in the format that the client prefers.

        :raises Refused: 401 without a valid token, 403 if the token lacks the right.
        """
        self._access.check_metrics(request, self._own_port)
        text, kind = self._expose(request.headers.get("accept", ""))
        return Response(200, text, {"Content-Type": kind, "Cache-Control": "no-store"})
