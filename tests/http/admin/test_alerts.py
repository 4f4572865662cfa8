"""Commands to alerts over HTTP: to mute one, and to send a test."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.support.net import Answer
from tests.support.receiver import receiving
from tests.support.served import QUIET, Serve, Served, in_thread

ALERT = '[alerts.shop]\nstreams = ["*"]\nto = ["{url}"]\n'


def command(served: Served, said: Any, name: str = "shop", token: str = "s3cret") -> Answer:
    body = said if isinstance(said, (str, bytes)) else json.dumps(said)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return served.request("POST", f"/alerts/{name}", body, headers)


def outcome(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


@in_thread
def test_a_test(serve: Serve) -> None:
    with receiving() as receiver:
        served = serve(f"{QUIET}\n{ALERT.format(url=receiver.url)}", admins=["s3cret"])
        answer = command(served, {"command": "test"})
        assert answer.json() == {"sent": [{"to": "alerts.shop.to[0]", "error": None}]}
        assert receiver.kinds() == ["test"]
        receiver.decide = lambda message: (500, {})
        [sent] = command(served, {"command": "test"}).json()["sent"]
        assert sent["error"] == "the answer was 500 Internal Server Error"


@in_thread
def test_mute(serve: Serve) -> None:
    with receiving() as receiver:
        served = serve(f"{QUIET}\n{ALERT.format(url=receiver.url)}", admins=["s3cret"])
        until = command(served, {"command": "mute", "for": "2h"}).json()["until"]
        assert abs(until - time.time() - 7200) < 60
        assert command(served, {"command": "unmute"}).json() == {"until": None}


@in_thread
def test_what_is_refused(serve: Serve) -> None:
    with receiving() as receiver:
        served = serve(f"{QUIET}\n{ALERT.format(url=receiver.url)}", admins=["s3cret"])
        test = {"command": "test"}
        assert outcome(command(served, test, "other")) == (404, "unknown-alert")
        assert outcome(command(served, test, token="")) == (401, "no-token")
        assert outcome(command(served, test, token="wrong")) == (401, "bad-token")
        for said in (
            {"command": "shout"},
            {"command": "mute"},
            {"command": "mute", "for": "soon"},
            {"command": "mute", "for": "0s"},
            {"command": "mute", "for": "31d"},
            {"command": "test", "to": "me"},
            "[" * 100_000,
            b"\xff",
        ):
            assert outcome(command(served, said)) == (400, "bad-command"), said
        assert receiver.messages == []
