"""``GET /healthz``: whether the daemon lives, for monitors and load balancers."""

from __future__ import annotations

from streamd.core.state import State
from streamd.http.request import Request, Response, Routes, json_response


class Health:
    """Answers from the state, also while the journal is away and before there is a log."""

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def routes(self) -> Routes:
        return {"/healthz": {"GET": self.get_health}}

    def get_health(self, request: Request) -> Response:
        """``GET /healthz``: 200 while the daemon lives, without names of streams and servers.

        With ``?strict`` 503 while a stream is failed or late, or the journal is away, with the reasons.
        """
        journal = self._state.journal
        away = journal is not None and journal["state"] == "away"
        if "strict" not in request.query:
            return json_response({"status": "ok", **({"journal": "away"} if away else {})})
        bad = {s.name: s.current_health() for s in self._state if s.health.state != "fresh"}
        status = "bad" if bad or away else "ok"
        about = {"status": status, "streams": bad, **({"journal": journal} if away else {})}
        return json_response(about, 200 if status == "ok" else 503)
