"""``GET /healthz``: whether the daemon works, for monitors and load balancers."""

from __future__ import annotations

from streamd.core.state import State
from streamd.http.request import Request, Response, Routes, json_response


class HealthPage:
    """Answers ``GET /healthz``, even while the journal is away and before the log was read."""

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def routes(self) -> Routes:
        return {"/healthz": {"GET": self.get_health}}

    def get_health(self, request: Request) -> Response:
        """``GET /healthz``: always 200, without names of streams and servers.

        With ``?strict`` it is 503 while a stream is failed or late, the journal is away, or the
        configuration file cannot be used.  The answer has the reasons that the client may read.
        """
        journal = self._state.journal
        away = journal is not None and journal["state"] == "away"
        trouble = (self._state.configuration or {}).get("trouble")
        if "strict" not in request.query:
            notes = {"journal": "away"} if away else {}
            notes |= {"configuration": "broken"} if trouble else {}
            return json_response({"status": "ok", **notes})
        bad = {s.name: s.current_health() for s in self._state if s.health.state != "fresh"}
        status = "bad" if bad or away or trouble else "ok"
        view, reads_all = request.rights.view, request.rights.reads_all
        told = {name: health for name, health in bad.items() if name in view}
        too = {"journal": journal} if away and reads_all else {}
        too |= {"configuration": trouble} if trouble and reads_all else {}
        about = {"status": status, **({"streams": told} if view else {}), **too}
        return json_response(about, 200 if status == "ok" else 503)
