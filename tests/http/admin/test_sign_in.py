"""The session of an administrator: begun with a token, counted from streamd's page alone, and ended."""

from __future__ import annotations

from typing import Any

from streamd.http.admin.sign_in import LASTS
from tests.http.access.test_rights_end import reload
from tests.http.admin.test_pairing import ADMIN, CONFIG, Screen, approve, outcome, post
from tests.support.net import Answer, wait_until
from tests.support.served import Serve, Served, in_thread

NAMED = CONFIG.replace('"administrator-all"', '{ token = "administrator-all", name = "ann" }')
PATH = "/admin/session"


def start(serve: Serve, text: str = NAMED) -> Served:
    served = serve(text)
    wait_until(lambda: served.run(lambda: served.service.grants.loaded))
    return served


def sign_in(served: Served, headers: Any = ADMIN, **more: str) -> Answer:
    return served.request("POST", PATH, None, {**headers, **more})


def cookie_of(answer: Answer) -> str:
    return answer.headers.get("Set-Cookie", "").partition(";")[0]


def own(served: Served, cookie: str) -> dict[str, str]:
    """The headers of a request that the page sends."""
    return {"Cookie": cookie, "Origin": f"http://127.0.0.1:{served.port}"}


@in_thread
def test_a_token_begins_a_session_and_the_cookie_does_the_rest(serve: Serve) -> None:
    served = start(serve)
    about = served.request("GET", PATH).json()
    assert about == {"admin": False, "name": "", "id": "", "until": None, "possible": True}
    answer = sign_in(served, {"Streamd-Token": "administrator-all"})
    assert answer.status == 201
    assert answer.json().items() >= {"admin": True, "name": "ann"}.items()
    told = answer.headers["Set-Cookie"]
    assert told.endswith(f"; Path=/; Max-Age={LASTS:.0f}; HttpOnly; SameSite=Lax")
    assert "administrator-all" not in told
    page = own(served, cookie_of(answer))
    assert served.request("GET", PATH, None, page).json() == answer.json()
    [grant] = served.request("GET", "/grants", None, page).json()["grants"]
    assert (grant["kind"], grant["name"], grant["id"]) == ("admin", "ann", answer.json()["id"])
    assert served.request("GET", "/admin/refusals", None, page).status == 200
    assert post(served, "/links", {"wall": "hall", "for": "1h"}, page).status == 201


@in_thread
def test_token_without_a_name_begins_the_session_of_an_administrator(serve: Serve) -> None:
    served = start(serve, CONFIG)
    answer = sign_in(served)
    assert answer.json()["name"] == "administrator"
    page = own(served, cookie_of(answer))
    assert served.request("GET", PATH, None, page).json() == answer.json()


@in_thread
def test_only_the_own_page_commands_with_the_cookie(serve: Serve) -> None:
    writes = '[server]\npublish_origins = ["https://writes.example"]\norigins = ["https://reads.example"]\n'
    served = start(serve, NAMED + writes)
    cookie = cookie_of(sign_in(served))
    link = {"wall": "hall", "for": "1h"}
    for origin, refusal in (
        (None, (401, "signed-out")),
        ("https://writes.example", (401, "signed-out")),
        ("https://reads.example", (403, "foreign-origin")),
        ("https://evil.example", (403, "foreign-origin")),
        (f"https://127.0.0.1:{served.port}", (403, "foreign-origin")),
        ("null", (403, "foreign-origin")),
    ):
        headers = {"Cookie": cookie} if origin is None else {"Cookie": cookie, "Origin": origin}
        answer = post(served, "/links", link, headers)
        assert answer.status == refusal[0], origin
        for path in ("/grants", "/admin/refusals") if origin else ():
            assert served.request("GET", path, None, headers).status in (401, 403), origin
    writes_too = {"Cookie": cookie, "Origin": "https://writes.example"}
    assert served.request("DELETE", PATH, None, writes_too).status == 204  # ends nothing
    assert served.request("GET", PATH, None, own(served, cookie)).json()["admin"] is True
    embedded = {"Cookie": cookie, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
    assert served.request("GET", "/grants", None, embedded).status == 401


@in_thread
def test_a_session_ends(serve: Serve) -> None:
    served = start(serve)
    first = cookie_of(sign_in(served))
    second = cookie_of(sign_in(served, Origin=f"http://127.0.0.1:{served.port}", Cookie=first))
    assert served.request("GET", PATH, None, own(served, first)).json()["admin"] is False
    page = own(served, second)
    foreign = {**page, "Origin": "https://evil.example"}
    assert outcome(served.request("DELETE", PATH, None, foreign)) == (403, "foreign-origin")
    answer = served.request("DELETE", PATH, None, page)
    assert answer.status == 204
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert cookie_of(answer) == second.partition("=")[0] + "="
    assert served.request("GET", PATH, None, page).json()["admin"] is False
    assert outcome(served.request("GET", "/grants", None, page)) == (401, "signed-out")
    assert served.request("DELETE", PATH, None, page).status == 204


@in_thread
def test_a_session_ends_with_its_token(serve: Serve) -> None:
    served = start(serve)
    page = own(served, cookie_of(sign_in(served)))
    reload(served, NAMED.replace("administrator-all", "another-administrator"))
    assert served.request("GET", PATH, None, page).json()["admin"] is False
    assert served.request("GET", "/grants", None, page).status == 403


@in_thread
def test_a_screen_stays_a_screen(serve: Serve) -> None:
    served = start(serve)
    screen = Screen(served)
    approve(served, screen.code())
    screen.ask()
    session = cookie_of(sign_in(served))
    assert session.partition("=")[0] == screen.cookie.partition("=")[0] + "-admin"
    both = own(served, f"{screen.cookie}; {session}")
    assert served.request("GET", "/grants", None, both).status == 200
    served.request("DELETE", PATH, None, both)
    assert served.request("GET", "/walls", None, both).json() == {"walls": ["hall"]}
    assert served.request("GET", "/screens/x", None, both).json()["name"] == "kitchen"


@in_thread
def test_clients_that_may_not_sign_in(serve: Serve) -> None:
    served = start(serve)
    wrong = {"Authorization": "Bearer a-wrong-token-here"}
    assert outcome(sign_in(served, wrong)) == (401, "bad-token")
    assert outcome(sign_in(served, {})) == (401, "no-token")
    assert outcome(sign_in(served, Origin="https://evil.example")) == (403, "foreign-origin")
    for token in ("view-every-stream", "publish-every-one"):
        answer = sign_in(served, {"Authorization": f"Bearer {token}"})
        assert outcome(answer) == (403, "no-right")
        assert "Set-Cookie" not in answer.headers
    refused = served.request("GET", "/admin/refusals", None, ADMIN).json()["refused"]
    assert [(each["code"], each["times"]) for each in refused] == [
        ("no-right", 2),
        ("foreign-origin", 1),
        ("no-token", 1),
        ("bad-token", 1),
    ]
    assert {each["path"] for each in refused} == {PATH}


@in_thread
def test_a_person_needs_no_session(serve: Serve) -> None:
    identity = 'identity = { header = "X-Forwarded-User", admins = ["ann"] }\n[[walls]]'
    text = CONFIG.replace("[[walls]]", identity, 1).replace('admin = ["administrator-all"]', "")
    served = start(serve, text + '[server]\ntrusted_proxies = ["127.0.0.1"]\n')
    ann = {"X-Forwarded-User": "ann"}
    about = served.request("GET", PATH, None, ann).json()
    assert (about["admin"], about["name"], about["id"]) == (True, "ann", "")
    assert served.request("GET", PATH, None, {"X-Forwarded-User": "bob"}).json()["admin"] is False
    page = {**ann, "Origin": f"http://127.0.0.1:{served.port}"}
    assert outcome(served.request("POST", PATH, None, page)) == (401, "no-token")


@in_thread
def test_behind_tls_the_cookie_is_bound_to_the_host(serve: Serve) -> None:
    served = start(serve, NAMED + '[server]\ntrusted_proxies = ["127.0.0.1"]\n')
    told = sign_in(served, **{"X-Forwarded-Proto": "https"}).headers["Set-Cookie"]
    assert told.startswith("__Host-streamd-")
    assert told.endswith("; HttpOnly; SameSite=Lax; Secure")
    prefixed = {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/floor2"}
    told = sign_in(served, **prefixed).headers["Set-Cookie"]
    assert told.startswith("streamd-")
    assert "; Path=/floor2/;" in told
