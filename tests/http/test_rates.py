"""How fast one client may make requests, and who has no limit."""

from __future__ import annotations

import json

from tests.support.net import Answer
from tests.support.served import Serve, Served, handshake, in_thread

TOKEN, OTHER = "t" * 16, "o" * 16

LIMITED = """
[server]
trusted_proxies = ["127.0.0.1"]
rates = { handshakes = 0.2, requests = 0.3, publishes = 0.1, token_publishes = 0.4 }
"""
"""Bursts of two handshakes, three requests, one publish, and four publishes with a token."""


def ask(
    served: Served,
    method: str = "GET",
    path: str = "/state",
    client: str = "192.0.2.1",
    token: str = "",
) -> Answer:
    headers = {"X-Forwarded-For": client, "Content-Type": "text/plain"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return served.request(method, path, "1" if method == "POST" else None, headers)


def code(answer: Answer) -> str:
    return str(json.loads(answer.text)["error"]["code"])


@in_thread
def test_too_many_requests_of_one_address(serve: Serve) -> None:
    served = serve(LIMITED)
    assert [ask(served).status for _ in range(3)] == [200] * 3
    refused = ask(served)
    assert (refused.status, code(refused)) == (429, "too-many-requests")
    assert 3 < int(refused.headers["Retry-After"]) <= 4 + 8
    assert "192.0.2.1" in refused.text
    assert "[server.rates]" in refused.text
    assert ask(served, client="192.0.2.2").status == 200
    assert served.service.site.refused["too-many-requests"] == 1


@in_thread
def test_addresses_of_one_ipv6_network_are_one_client(serve: Serve) -> None:
    served = serve(LIMITED)
    for number in range(1, 4):
        assert ask(served, client=f"2001:db8::{number}").status == 200
    assert ask(served, client="2001:db8::9").status == 429


@in_thread
def test_a_program_on_this_machine_has_no_limit(serve: Serve) -> None:
    served = serve(LIMITED.replace('["127.0.0.1"]', "[]"))
    assert {served.request("GET", "/state").status for _ in range(20)} == {200}
    for _ in range(10):
        with served.connect() as viewer:
            viewer.recv(timeout=20)


@in_thread
def test_the_files_of_the_page_and_the_health_are_not_counted(serve: Serve) -> None:
    served = serve(LIMITED)
    for _ in range(10):
        assert ask(served, path="/streamd.js").status == 200
        assert ask(served, path="/healthz").status == 200
    assert ask(served).status == 200


@in_thread
def test_too_many_handshakes(serve: Serve) -> None:
    served = serve(LIMITED)
    asks = handshake("/ws", "X-Forwarded-For: 192.0.2.1")
    for _ in range(2):
        assert " 101 " in served.wire(asks).head()
    answer = served.wire(asks).answer()
    assert (answer.status, code(answer)) == (429, "too-many-handshakes")
    assert int(answer.headers["Retry-After"]) >= 5
    assert len(served.service.viewers.protocols) == 2


@in_thread
def test_event_streams_are_counted_as_handshakes(serve: Serve) -> None:
    served = serve(LIMITED)
    assert [ask(served, path="/events?for=1ms").status for _ in range(2)] == [200] * 2
    refused = ask(served, path="/events?for=1ms")
    assert (refused.status, code(refused)) == (429, "too-many-handshakes")
    assert ask(served, path="/events?for=1ms", client="192.0.2.2").status == 200


@in_thread
def test_health_of_all_streams_is_counted_as_a_request(serve: Serve) -> None:
    """It looks at each of them, perhaps ten thousand."""
    served = serve(LIMITED)
    assert [ask(served, path="/healthz?strict").status for _ in range(4)] == [200] * 3 + [429]


@in_thread
def test_guessing_how_to_publish_is_limited(serve: Serve) -> None:
    served = serve(LIMITED, [TOKEN])
    assert ask(served, "POST", "/streams/a").status == 401
    assert code(ask(served, "POST", "/streams/a")) == "too-many-publishes"
    assert code(ask(served, "POST", "/streams/a", token="wrong")) == "too-many-publishes"
    assert ask(served, "POST", "/streams/a", token=TOKEN).status == 201


@in_thread
def test_wrong_tokens_beyond_the_limit_are_guesses(serve: Serve) -> None:
    """They would be tried for free otherwise: a right one gets another answer."""
    served = serve(LIMITED, [TOKEN])
    for number in range(11):
        ask(served, "POST", "/streams/a", token=f"wrong{number}")
    guesses = served.service.access.guesses
    assert guesses.pause("192.0.2.1", TOKEN) > 0


HOOK = """
[hooks.till]
secret = "secret-of-the-till"
stream = "till"
[hooks.code]
from = "github"
secret = "secret-of-the-code"
stream = "code"
"""


@in_thread
def test_the_secret_of_a_hook_is_no_guess_and_has_no_limit(serve: Serve) -> None:
    served = serve(LIMITED + HOOK, [TOKEN])
    headers = {"X-Forwarded-For": "192.0.2.1", "Content-Type": "application/json"}
    guesses = served.service.access.guesses

    def deliver(hook: str, secret: str) -> Answer:
        more = {"Authorization": f"Bearer {secret}"}
        return served.request("POST", f"/hooks/{hook}", "7", {**headers, **more})

    assert {deliver("till", "secret-of-the-till").status for _ in range(30)} == {200}
    for number in range(20):  # its sender signs, so this header means nothing
        assert code(deliver("code", f"any{number}")) == "too-many-publishes"
    assert guesses.pause("192.0.2.1", TOKEN) == 0
    for number in range(20):
        assert deliver("till", f"wrong{number}").status in (401, 429)
    assert guesses.pause("192.0.2.1", TOKEN) > 0


@in_thread
def test_tokens_of_influxdb_count_as_tokens_do(serve: Serve) -> None:
    served = serve(LIMITED, [TOKEN])
    for path, authorization in (
        ("/write", f"Token {TOKEN}"),
        ("/api/v2/write", f"Token ann:{TOKEN}"),
        (f"/write?p={TOKEN}", ""),
    ):
        headers = {"X-Forwarded-For": "192.0.2.1", "Authorization": authorization}
        answer = served.request("POST", path, "load a=1", headers)
        assert answer.status == 204, (path, answer.text)


@in_thread
def test_a_limit_for_tokens(serve: Serve) -> None:
    served = serve(LIMITED, [TOKEN, OTHER])
    posts = [ask(served, "POST", "/streams/a", token=TOKEN).status for _ in range(5)]
    assert posts == [201] * 4 + [429]
    assert ask(served, "POST", "/streams/a", token=OTHER, client="192.0.2.7").status == 201
    assert ask(served, "POST", "/streams/a", token=TOKEN, client="192.0.2.8").status == 429


@in_thread
def test_tokens_have_no_limit_by_default(serve: Serve) -> None:
    served = serve(
        '[server]\ntrusted_proxies = ["127.0.0.1"]\nrates = { publishes = 0.1 }', [TOKEN]
    )
    posts = {ask(served, "POST", "/streams/a", token=TOKEN).status for _ in range(30)}
    assert posts == {201}
