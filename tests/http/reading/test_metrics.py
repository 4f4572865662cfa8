"""Who may read the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

import pytest
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.http.access.access import Access
from streamd.http.access.client_address import ClientAddress
from streamd.http.access.local_program import LocalPrograms
from streamd.http.access.rules import Rules
from streamd.http.access.tokens import Token, Tokens
from streamd.http.reading.metrics import Metrics
from streamd.http.request import Request
from tests.support.daemon import StartDaemon
from tests.support.served import QUIET, Serve, in_thread

TOKEN, ADMIN = "t" * 16, "a" * 16
ELSEWHERE: dict[str, Any] = {"host": "192.0.2.1", "client": ClientAddress(ip_address("192.0.2.1"))}


def asked(token: str = "", headers: Mapping[str, str] | None = None, **fields: Any) -> Request:
    bearer = {"authorization": f"Bearer {token}"} if token else {}
    sent = {"host": "localhost:5000", **bearer, **(headers or {})}
    return Request("GET", "/metrics", {}, sent, **fields)


class MetricsTests(SynchronousTestCase):
    def code(self, request: Request, tokens: tuple[str, ...] = (TOKEN,), **options: bool) -> str:
        """The code of the refusal; empty if the metrics are told."""
        local = LocalPrograms(only_unix=options.pop("only_unix", False))
        known = Tokens(admin=[Token(ADMIN)], metrics=list(map(Token, tokens)))
        access = Access(Rules(known, local=local))
        metrics = Metrics(access, lambda accept: (b"x 1", "text/plain"), **options)
        try:
            response = metrics.get_metrics(request)
        except Refused as refused:
            self.assertEqual(401, refused.status)
            return refused.code
        self.assertEqual((b"x 1", "no-store"), (response.body, response.headers["Cache-Control"]))
        return ""

    def test_a_program_on_this_machine(self) -> None:
        self.assertEqual("", self.code(asked()))
        self.assertEqual("", self.code(asked(host="")))

    def test_a_program_elsewhere_needs_a_token(self) -> None:
        self.assertEqual("no-token", self.code(asked(**ELSEWHERE)))
        self.assertEqual("bad-token", self.code(asked("wrong", **ELSEWHERE)))
        for token in (TOKEN, ADMIN):
            self.assertEqual("", self.code(asked(token, **ELSEWHERE)))

    def test_a_wrong_token_is_refused_here_too(self) -> None:
        self.assertEqual("bad-token", self.code(asked("wrong")))

    def test_a_proxy_on_this_machine_is_no_local_program(self) -> None:
        forwarded = {"x-forwarded-for": "192.0.2.1"}
        self.assertEqual("no-token", self.code(asked(headers=forwarded)))
        self.assertEqual("no-token", self.code(asked(proxied=True)))
        self.assertEqual("no-token", self.code(asked(version="HTTP/1.0")))
        self.assertEqual("no-token", self.code(asked(headers={"host": "wall.example"})))
        self.assertEqual("no-token", self.code(asked(), only_unix=True))

    def test_a_port_of_its_own_is_open_unless_there_is_a_token(self) -> None:
        self.assertEqual("", self.code(asked(**ELSEWHERE), (), own_port=True))
        self.assertEqual("no-token", self.code(asked(**ELSEWHERE), own_port=True))
        self.assertEqual("", self.code(asked(TOKEN, **ELSEWHERE), own_port=True))

    def test_guesses_are_counted(self) -> None:
        access = Access(Rules(Tokens(metrics=[Token(TOKEN)])))
        metrics = Metrics(access, lambda accept: (b"", ""))
        for number in range(10):
            request = asked(f"wrong{number}", **ELSEWHERE)
            self.assertRaises(Refused, metrics.get_metrics, request)
        self.assertGreater(access.pause(asked(TOKEN, **ELSEWHERE)), 0)


@in_thread
def test_pages_of_other_origins_may_not_read(serve: Serve) -> None:
    served = serve(QUIET)
    foreign = {"Origin": "https://elsewhere.example"}
    assert served.request("GET", "/metrics", headers=foreign).status == 403


@pytest.mark.parametrize("token", [TOKEN, ADMIN])
def test_a_token_of_the_configuration(token: str, start_daemon: StartDaemon) -> None:
    config = f'[access]\nmetrics = ["{TOKEN}"]\nadmin = ["{ADMIN}"]'
    daemon = start_daemon(config=config)
    through = {"X-Forwarded-For": "192.0.2.1"}
    assert daemon.request("GET", "/metrics", headers=through).status == 401
    sent = {**through, "Authorization": f"Bearer {token}"}
    assert daemon.request("GET", "/metrics", headers=sent).status == 200
    assert token not in daemon.log()
