"""``GET /healthz``: whether the daemon works, for monitors and load balancers."""

from __future__ import annotations

from streamd.core.state import State
from streamd.http.request import Request, Response, Routes, json_response


class Health:
    """Answers ``GET /healthz``, even while the journal is away and before the log was read."""

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def routes(self) -> Routes:
        return {"/healthz": {"GET": self.get_health}}

    def get_health(self, request: Request) -> Response:
        """``GET /healthz``: always 200, without names of streams and servers.

        With ``?strict`` it is 503, with the reasons, while a stream is failed or late or the journal is
        away.
        """
        journal = self._state.journal
        away = journal is not None and journal["state"] == "away"
        if "strict" not in request.query:
            return json_response({"status": "ok", **({"journal": "away"} if away else {})})
        bad = {s.name: s.current_health() for s in self._state if s.health.state != "fresh"}
        status = "bad" if bad or away else "ok"
        about = {"status": status, "streams": bad, **({"journal": journal} if away else {})}
        return json_response(about, 200 if status == "ok" else 503)
