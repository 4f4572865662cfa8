"""Grants over HTTP: listed, renamed, moved to another wall, and revoked."""

from __future__ import annotations

from typing import Any

from tests.http.admin.test_pairing import ADMIN, CONFIG, Screen, approve, outcome, post
from tests.support.served import Serve, Served, in_thread


def listed(served: Served) -> Any:
    return served.request("GET", "/grants", None, ADMIN).json()["grants"]


def paired(served: Served, name: str = "kitchen") -> tuple[Screen, str]:
    screen = Screen(served)
    id = approve(served, screen.code(), name).json()["id"]
    screen.ask()
    return screen, id


@in_thread
def test_list_has_no_secret(serve: Serve) -> None:
    served = serve(CONFIG)
    screen, id = paired(served)
    link = post(served, "/links", {"wall": "vault", "for": "1h"}).json()
    grants = listed(served)
    assert [(each["id"], each["kind"], each["name"], each["wall"]) for each in grants] == [
        (id, "screen", "kitchen", "hall"),
        (link["id"], "link", "vault", "vault"),
    ]
    assert grants[1]["until"] == link["until"]
    text = repr(grants)
    assert screen.device not in text
    assert link["address"].partition("=")[2] not in text


@in_thread
def test_a_changed_screen_begins_anew(serve: Serve) -> None:
    served = serve(CONFIG)
    screen, id = paired(served)
    own = f"http://127.0.0.1:{served.port}"
    headers = {"Cookie": screen.cookie, "Origin": own}
    for change, shown in (({"name": "tv2"}, ["hall"]), ({"wall": "vault"}, ["vault"])):
        with served.connect("/ws", additional_headers=headers) as viewer:
            viewer.recv(timeout=40)
            about = post(served, f"/grants/{id}", change).json()
            assert about.items() >= change.items()
            closed = 0
            while not closed:
                closed = _close_code(viewer)
            assert closed == 4401
        told = served.request("GET", "/screens/x", None, headers).json()
        assert told["name"] == "tv2"
        assert [turn["wall"] for turn in told["walls"]] == shown


def _close_code(viewer: Any) -> int:
    """The code of the close frame, or 0 for another message."""
    try:
        viewer.recv(timeout=40)
    except TimeoutError:
        raise
    except Exception:
        code: int = viewer.close_code
        return code
    return 0


@in_thread
def test_revoke(serve: Serve) -> None:
    served = serve(CONFIG)
    screen, id = paired(served)
    assert served.request("DELETE", f"/grants/{id}", None, ADMIN).status == 204
    assert outcome(screen.walls()) == (401, "signed-out")
    assert listed(served) == []
    assert outcome(served.request("DELETE", f"/grants/{id}", None, ADMIN)) == (404, "unknown-grant")


@in_thread
def test_what_is_refused(serve: Serve) -> None:
    served = serve(CONFIG)
    screen, id = paired(served)
    _, other = paired(served, "other")
    path = f"/grants/{id}"
    assert outcome(post(served, path, {"name": "a b"})) == (400, "bad-name")
    assert outcome(post(served, path, {"name": "other"})) == (409, "name-taken")
    assert outcome(post(served, path, {"wall": "nowhere"})) == (404, "unknown-wall")
    assert outcome(post(served, "/grants/1", {"name": "x"})) == (404, "unknown-grant")
    for body in ({"kind": "admin"}, {"name": 1}, "[" * 100_000, b"\xff"):
        assert outcome(post(served, path, body)) == (400, "bad-command"), body
    own = {"Cookie": screen.cookie, "Origin": f"http://127.0.0.1:{served.port}"}
    for headers, refusal in (({}, (401, "no-token")), (own, (403, "no-right"))):
        assert outcome(served.request("GET", "/grants", None, headers)) == refusal
        assert outcome(post(served, path, {"name": "x"}, headers)) == refusal
        answer = served.request("DELETE", f"/grants/{other}", None, headers)
        assert outcome(answer) == refusal
