"""Links: made by an administrator, opened by anybody, until they end."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from streamd.http.access import grants
from tests.support.net import Answer, wait_until
from tests.support.served import Serve, Served, in_thread

ADMIN = {"Authorization": "Bearer administrator-all"}
CONFIG = """
[access]
view = ["view-every-stream"]
admin = ["administrator-all"]
[[walls]]
name = "lobby"
streams = ["open.*"]
[[walls]]
name = "vault"
streams = ["secret.*"]
"""


def made(served: Served, wall: str = "lobby", lasting: str = "7d", **more: Any) -> Any:
    answer = post(served, {"wall": wall, "for": lasting, **more})
    assert answer.status == 201, answer.text
    return answer.json()


def post(served: Served, said: Any, headers: Any = ADMIN) -> Answer:
    body = said if isinstance(said, (str, bytes)) else json.dumps(said)
    wait_until(lambda: served.run(lambda: served.service.grants.loaded))
    return served.request("POST", "/links", body, headers)


def opened(served: Served, address: str, **headers: str) -> Answer:
    parts = urlsplit(address)
    return served.request("GET", f"{parts.path}?{parts.query}", None, headers)


def cookie_of(answer: Answer) -> str:
    return answer.headers.get("Set-Cookie", "").partition(";")[0]


def walls(served: Served, cookie: str) -> Answer:
    return served.request("GET", "/walls", None, {"Cookie": cookie})


@in_thread
def test_a_link_reads_its_wall_in_every_browser(serve: Serve) -> None:
    served = serve(CONFIG)
    address = made(served)["address"]
    assert address.startswith(f"http://127.0.0.1:{served.port}/link?key=")
    for _ in range(2):
        answer = opened(served, address)
        assert answer.status == 303
        assert answer.headers["Location"] == "./?wall=lobby"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        about = answer.headers["Set-Cookie"]
        assert "HttpOnly; SameSite=Lax" in about
        assert walls(served, cookie_of(answer)).json() == {"walls": ["lobby"]}


@in_thread
def test_a_browser_that_reads_the_wall_keeps_its_grant(serve: Serve) -> None:
    served = serve(CONFIG)
    address, longer = made(served)["address"], made(served, lasting="30d")["address"]
    first = cookie_of(opened(served, address))
    assert cookie_of(opened(served, address, Cookie=first)) == ""
    second = cookie_of(opened(served, longer, Cookie=first))
    assert second not in ("", first)
    assert cookie_of(opened(served, address, Cookie=second)) == ""
    _, secret = served.run(served.service.grants.make, "screen", "tv", "lobby")
    screen = f"{first.partition('=')[0]}={secret}"
    assert cookie_of(opened(served, longer, Cookie=screen)) == ""
    vault = made(served, "vault")["address"]
    assert cookie_of(opened(served, vault, Cookie=screen)) != ""


@in_thread
def test_a_page_that_loads_a_link_changes_nothing(serve: Serve) -> None:
    """An image of a page on another port of this host may set cookies."""
    served = serve(CONFIG)
    address = made(served)["address"]
    headers = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
    answer = opened(served, address, **headers)
    assert (answer.status, cookie_of(answer)) == (403, "")
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert opened(served, address, **headers).status == 303


@in_thread
def test_a_link_ends(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "TURN", 0.1)
    served = serve(CONFIG)
    brief, other = made(served, lasting="300ms")["address"], made(served)
    # It may have ended before it was opened on a slow machine; then there is no cookie to try.
    cookie = cookie_of(opened(served, brief))
    wait_until(lambda: opened(served, brief).status == 410)
    assert walls(served, cookie).status == 401
    cookie = cookie_of(opened(served, other["address"]))
    served.run(served.service.grants.revoke, other["id"])
    assert walls(served, cookie).json()["error"]["code"] == "signed-out"
    assert opened(served, other["address"]).json()["error"]["code"] == "link-ended"


@in_thread
def test_only_the_secret_of_a_link_opens_one(serve: Serve) -> None:
    served = serve(CONFIG)
    about = made(served)
    _, screen = served.run(served.service.grants.make, "screen", "tv", "lobby")
    for key in ("", about["id"], screen, about["address"][-43:-1]):
        answer = opened(served, f"/link?key={key}")
        assert (answer.status, answer.headers.get("Set-Cookie")) == (410, None), key


@in_thread
def test_the_public_address_counts(serve: Serve) -> None:
    served = serve(CONFIG + '[server]\nurl = "https://wall.example/floor2/"\n')
    assert made(served)["address"].startswith("https://wall.example/floor2/link?key=")


@in_thread
def test_what_is_refused(serve: Serve) -> None:
    served = serve(CONFIG)

    def outcome(said: Any, headers: Any = ADMIN) -> tuple[int, str]:
        answer = post(served, said, headers)
        return answer.status, answer.json()["error"]["code"]

    good = {"wall": "lobby", "for": "7d"}
    assert outcome(good, {}) == (401, "no-token")
    assert outcome(good, {"Authorization": "Bearer view-every-stream"}) == (403, "no-right")
    assert outcome({**good, "wall": "nowhere"}) == (404, "unknown-wall")
    assert outcome({**good, "name": "a b"}) == (400, "bad-name")
    for bad in ({**good, "for": "0s"}, {**good, "for": "401d"}, {**good, "for": "soon"}):
        assert outcome(bad) == (400, "bad-link"), bad
    for body in ({"wall": "lobby"}, {**good, "more": 1}, "[" * 100_000, b"\xff"):
        assert outcome(body) == (400, "bad-link"), body
