"""Pairing: a screen waits with its secret, an administrator names its code, and it gets its cookie."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import fail

from streamd.http.access import guesses
from streamd.http.access.codes import ALPHABET
from streamd.journals.journal import Away
from tests.support.net import Answer, wait_until
from tests.support.redis import Redis
from tests.support.served import Serve, Served, in_thread

ADMIN = {"Authorization": "Bearer administrator-all"}
CONFIG = """
[access]
view = ["view-every-stream"]
publish = ["publish-every-one"]
admin = ["administrator-all"]
[[walls]]
name = "hall"
streams = ["open.*"]
[[walls]]
name = "vault"
streams = ["secret.*"]
[[screens]]
name = "tv"
walls = [{ wall = "hall" }, { wall = "vault" }]
"""


class Screen:
    """A browser: its secret, and its cookie once it has one."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.device = secrets.token_urlsafe(32)
        self.cookie = ""

    def ask(self, **headers: str) -> Answer:
        wait_until(lambda: self.served.run(lambda: self.served.service.grants.loaded))
        answer = post(self.served, "/pairing", {"device": self.device}, headers)
        self.cookie = answer.headers.get("Set-Cookie", "").partition(";")[0] or self.cookie
        return answer

    def code(self) -> str:
        answer = self.ask()
        assert answer.json()["state"] == "waiting", answer.text
        code: str = answer.json()["code"]
        return code

    def walls(self) -> Answer:
        return self.served.request("GET", "/walls", None, {"Cookie": self.cookie})


def post(served: Served, path: str, said: Any, headers: Any = ADMIN) -> Answer:
    body = said if isinstance(said, (str, bytes)) else json.dumps(said)
    return served.request("POST", path, body, headers)


def approve(served: Served, code: str, name: str = "kitchen", wall: str = "hall") -> Answer:
    return post(served, f"/pairing/{code}", {"name": name, "wall": wall})


def outcome(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


@in_thread
def test_a_screen_is_let_in(serve: Serve) -> None:
    served = serve(CONFIG)
    screen, other = Screen(served), Screen(served)
    code = screen.code()
    assert screen.code() == code != other.code()
    assert screen.walls().status == 401
    answer = approve(served, code.lower())
    assert answer.status == 201
    about = answer.json()
    assert (about["name"], about["wall"], about["address"]) == ("kitchen", "hall", "127.0.0.1")
    answer = screen.ask()
    assert answer.json() == {"state": "paired", "name": "kitchen", "wall": "hall"}
    assert "HttpOnly; SameSite=Lax" in answer.headers["Set-Cookie"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert screen.walls().json() == {"walls": ["hall"]}
    assert screen.ask().json()["state"] == "paired"  # the first answer may have been lost
    assert outcome(approve(served, code, "other")) == (404, "unknown-code")


@in_thread
def test_a_person_who_reads_the_code_gets_nothing(serve: Serve) -> None:
    served = serve(CONFIG)
    screen, thief = Screen(served), Screen(served)
    code = screen.code()
    said = {"name": "kitchen", "wall": "hall"}
    assert outcome(post(served, f"/pairing/{code}", said, {})) == (401, "no-token")
    for token in ("view-every-stream", "publish-every-one"):
        refused = post(served, f"/pairing/{code}", said, {"Authorization": f"Bearer {token}"})
        assert outcome(refused) == (403, "no-right")
    approve(served, code)
    assert thief.ask().json()["state"] == "waiting"
    assert outcome(post(served, "/pairing", {"device": code}, {})) == (400, "bad-device")
    name = served.run(lambda: list(served.service.grants.cookies))[1]
    thief.cookie = f"{name}={code}"
    assert thief.walls().status == 401
    assert screen.ask().json()["state"] == "paired"


@in_thread
def test_a_screen_that_starts_keeps_its_cookie_for_longer(serve: Serve) -> None:
    served = serve(CONFIG)
    screen = Screen(served)
    approve(served, screen.code())
    screen.ask()
    for path, again in (("/screens/x", True), ("/walls", False), ("/state", False)):
        answer = served.request("GET", path, None, {"Cookie": screen.cookie})
        assert answer.status == 200
        about = answer.headers.get("Set-Cookie", "")
        assert about.startswith(f"{screen.cookie}; Path=/; Max-Age=34560000;") is again, path
    answer = served.request("GET", "/screens/x", None, ADMIN)
    assert "Set-Cookie" not in answer.headers


@in_thread
def test_a_screen_with_a_playlist_needs_no_wall(serve: Serve) -> None:
    served = serve(CONFIG)
    screen = Screen(served)
    code = screen.code()
    assert outcome(approve(served, code, "kitchen", "")) == (400, "no-wall")
    assert approve(served, code, "tv", "").status == 201
    screen.ask()
    assert screen.walls().json() == {"walls": ["hall", "vault"]}
    headers = {"Cookie": screen.cookie}
    assert served.request("GET", "/screens/x", None, headers).json()["name"] == "tv"


@in_thread
def test_a_revoked_screen_waits_again(serve: Serve) -> None:
    served = serve(CONFIG)
    screen = Screen(served)
    grant = approve(served, screen.code()).json()["id"]
    screen.ask()
    served.run(served.service.grants.revoke, grant)
    assert outcome(screen.walls()) == (401, "signed-out")
    assert approve(served, screen.code()).status == 201
    assert screen.ask().json()["state"] == "paired"


@in_thread
def test_the_secret_of_another_grant_waits_for_nothing(serve: Serve) -> None:
    """Otherwise the approval would replace that grant."""
    served = serve(CONFIG)
    screen = Screen(served)
    screen.code()
    made: Any = served.run(served.service.grants.make, "link", "guest", "hall", 60.0)
    screen.device = made[1]
    answer = screen.ask()
    assert outcome(answer) == (409, "already-paired")
    assert "Set-Cookie" not in answer.headers


@in_thread
def test_what_is_refused(serve: Serve) -> None:
    served = serve(CONFIG)
    screen = Screen(served)
    code = screen.code()
    for body in ({}, {"device": 1}, {"device": "a" * 43, "more": 1}, "[" * 100_000, b"\xff"):
        assert outcome(post(served, "/pairing", body, {})) == (400, "bad-pairing"), body
    for device in ("", "a" * 42, "a" * 44, "a" * 42 + "!"):
        assert outcome(post(served, "/pairing", {"device": device}, {})) == (400, "bad-device")
    assert outcome(screen.ask(Origin="https://evil.example")) == (403, "foreign-origin")
    assert outcome(approve(served, code, "a b")) == (400, "bad-name")
    assert outcome(approve(served, code, "kitchen", "nowhere")) == (404, "unknown-wall")
    assert outcome(approve(served, "KX-1")) == (404, "unknown-code")
    assert approve(served, code).status == 201
    other = Screen(served)
    assert outcome(approve(served, other.code())) == (409, "name-taken")


@in_thread
def test_only_administrators_see_who_waits(serve: Serve) -> None:
    served = serve(CONFIG)
    code = Screen(served).code()
    [waiting] = served.request("GET", "/pairing", None, ADMIN).json()["waiting"]
    assert (waiting["code"], waiting["address"]) == (code, "127.0.0.1")
    headers = {"Authorization": "Bearer view-every-stream"}
    assert outcome(served.request("GET", "/pairing", None, headers)) == (403, "no-right")
    assert outcome(served.request("GET", "/pairing")) == (401, "no-token")


@in_thread
def test_without_administrators_nobody_waits(serve: Serve) -> None:
    served = serve('[access]\nview = ["view-every-stream"]\n')
    assert outcome(Screen(served).ask()) == (403, "no-pairing")


@in_thread
def test_guesses_of_codes_are_few(serve: Serve) -> None:
    served = serve(CONFIG)
    code = Screen(served).code()
    seen = [approve(served, f"{code[:-2]}{a}{b}") for a in ALPHABET[:4] for b in ALPHABET[:4]]
    statuses = [answer.status for answer in seen if answer.status != 201]
    assert statuses[: guesses.FREE - 1] == [404] * (guesses.FREE - 1)
    assert statuses[-1] == 429
    assert seen[-1].headers["Retry-After"]


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@in_thread
def test_any_node_answers(
    serve: Serve, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    journal = f'[journal]\npath = "{tmp_path}/streamd.db"\n'
    if kind == "redis":
        redis: Redis = request.getfixturevalue("redis")
        journal = f'[journal]\nurl = "redis://127.0.0.1:{redis.port}"\n'
    first = serve(journal + CONFIG)
    second = serve(journal + CONFIG) if kind == "redis" else first
    screen = Screen(first)
    assert screen.ask().json()["lasting"] is True
    assert approve(second, screen.code()).status == 201
    wait_until(lambda: screen.ask().json().get("state") == "paired", 40)
    screen.served = second
    assert screen.walls().json() == {"walls": ["hall"]}


@in_thread
def test_strangers_are_not_told_why_the_journal_is_away(serve: Serve) -> None:
    served = serve(CONFIG)
    screen = Screen(served)
    screen.code()
    away = Away("Redis at s3cr3t.example does not answer")
    served.service.journal.put = lambda *about: fail(away)  # type: ignore[method-assign]
    answer = Screen(served).ask()
    assert outcome(answer) == (503, "journal-away")
    assert "s3cr3t" not in answer.text


@in_thread
def test_a_journal_in_memory_says_so(serve: Serve) -> None:
    assert Screen(serve(CONFIG)).ask().json()["lasting"] is False
