"""Publishing over HTTP, over real TCP: values, bounds, receipts, keys, and who may."""

from __future__ import annotations

import json
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from streamd.core.errors import Refused
from streamd.core.values import MAX_VALUE
from streamd.http.access.principal import LOCAL
from streamd.http.publishing.publish import Publisher
from streamd.http.request import Request
from streamd.journals.memory import MemoryJournal
from tests.support.fakes import Daemonette
from tests.support.net import Answer
from tests.support.served import QUIET, Serve, Served, head, in_thread

JSON = {"Content-Type": "application/json"}
TOKEN = {"Authorization": "Bearer right"}
WITH_TOKEN = '[access]\npublish = ["right", "other"]'


def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


# -- values ----------------------------------------------------------------------------------------


@in_thread
def test_published_value_is_answered_with_its_place_in_the_log(served: Served) -> None:
    answers = [served.request("POST", "/streams/orders", str(n)) for n in (7, 7, 8)]
    assert [answer.status for answer in answers] == [201, 201, 201]
    receipts = [answer.json() for answer in answers]
    assert [set(receipt) for receipt in receipts] == [{"stream", "seq", "at"}] * 3
    assert [receipt["seq"] for receipt in receipts] == [1, 2, 3]
    places = [tuple(map(int, receipt["at"].split("-"))) for receipt in receipts]
    assert all(before < after for before, after in pairwise(places))


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"42", 42),
        (b"-0.5e3", -500),
        (b"hello", "hello"),
        (b"two words\n", "two words\n"),
        (b'"quoted"', "quoted"),
        (b"true", True),
        (b"null", None),
        (b"[1, [2]]", [1, [2]]),
        (b' {"a": {"b": "\xc3\xa9"}} ', {"a": {"b": "é"}}),
        ("12 °C".encode(), "12 °C"),
        (b"{not json", "{not json"),
        (b"12,5", "12,5"),
        (b"1 2", "1 2"),
        (b"nano", "nano"),
        (b"\x00", "\x00"),
        (b"12345678901234567890123", 12345678901234567890123),
    ],
)
@in_thread
def test_body_is_json_or_else_text(served: Served, body: bytes, value: Any) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain", ""):  # the first is curl's
        answer = served.request("POST", "/streams/a", body, {"Content-Type": kind})
        assert answer.status == 201, answer.text
        assert served.state() == {"a": value}


@pytest.mark.parametrize(
    "body",
    [
        b"NaN",
        b"nan",
        b"Infinity",
        b"-Infinity",
        b"-inf",
        b" +INF\n",
        b"1e999",
        b"-1e999",
        b"[1, NaN]",
        b'{"a": 1e999}',
        b'{"a": -Infinity}',
        b"1" * 400,
        b"9" * 5000,
        b"[" + b"1" * 400 + b"]",
        b"[" * 20_000,
        b"[" * 20_000 + b"]" * 20_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'"\\ud800"',
        b'"\xed\xa0\x80"',
        b"\xff\xfe",
        b"caf\xe9",
    ],
    ids=lambda body: repr(body[:20]),
)
@in_thread
def test_refused_under_any_type(served: Served, body: bytes) -> None:
    for kind in ("application/json", "text/plain", "application/octet-stream", ""):
        answer = served.request("POST", "/streams/a", body, {"Content-Type": kind})
        assert refusal(answer) == (400, "bad-value"), kind
    assert served.state() == {}


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json"]
)
@pytest.mark.parametrize("body", [b"hello", b"{", b'{"a":1,}', b"{'a':1}", b"1 2", b'"\n"', b"01"])
@in_thread
def test_what_says_it_is_json_has_to_be(served: Served, kind: str, body: bytes) -> None:
    answer = served.request("POST", "/streams/a", body, {"Content-Type": kind})
    assert refusal(answer) == (400, "bad-value")
    assert served.state() == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br", "Content-Type": "application/json"},
        {"Content-Encoding": "Identity, gzip"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "Multipart/Mixed"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/streams/a"), ("PATCH", "/state"), ("POST", "/widgets/a")]
)
@in_thread
def test_what_is_no_value_by_its_headers(
    served: Served, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = served.request(method, path, '{"current": 1}', headers)
    assert answer.status == 415
    assert answer.json()["error"]["code"] in ("bad-encoding", "bad-type")
    assert served.state() == {}
    plain = {"Content-Encoding": "Identity"}
    assert served.request(method, path, '{"current": 1}', plain).status < 300


@in_thread
def test_empty_body(served: Served) -> None:
    for headers in ({}, JSON):
        assert refusal(served.request("POST", "/streams/a", b"", headers)) == (400, "bad-value")


@pytest.mark.parametrize("headers", [{}, JSON])
@in_thread
def test_largest_value(served: Served, headers: dict[str, str]) -> None:
    value = json.dumps("x" * (MAX_VALUE - 2))
    assert served.request("POST", "/streams/a", value, headers).status == 201
    answer = served.request("POST", "/streams/a", value + " ", headers)
    assert refusal(answer) == (413, "too-large")
    answer = served.request("POST", "/streams/a", "x" * 65 * 1024, headers)
    assert refusal(answer) == (413, "too-large")
    assert len(served.state()["a"]) == MAX_VALUE - 2


@in_thread
def test_text_counts_as_it_is_kept(served: Served) -> None:
    """Each of these needs six characters of JSON."""
    assert served.request("POST", "/streams/a", b"\x01" * 10_000).status == 201
    answer = served.request("POST", "/streams/a", b"\x01" * 11_000)
    assert refusal(answer) == (413, "too-large")


@pytest.mark.parametrize("name", ["a", "0", "A.b-c_d", "x" * 128, "a%2Eb", "constructor"])
@in_thread
def test_names(served: Served, name: str) -> None:
    assert served.request("POST", f"/streams/{name}", "1").status == 201


@pytest.mark.parametrize(
    "name", ["-a", ".a", "_a", "a%20b", "a*", "%C3%A9", "x" * 129, "a%0Ab", "a%22", "..", "a:b"]
)
@in_thread
def test_bad_names(served: Served, name: str) -> None:
    for method, path, body in [
        ("POST", f"/streams/{name}", "1"),
        ("POST", f"/widgets/{name}", '{"current": 1}'),
    ]:
        answer = served.request(method, path, body)
        assert refusal(answer) in [(400, "bad-name"), (404, "not-found")]
    assert served.state() == {}


# -- when it was true ------------------------------------------------------------------------------


@pytest.mark.parametrize("time", ["0", "1700000000", "1700000000.25", "253402300799"])
@in_thread
def test_time(served: Served, time: str) -> None:
    answer = served.request("POST", "/streams/a", "1", {"Streamd-Time": time})
    assert answer.status == 201
    assert served.request("GET", "/streams/a").json()["time"] == float(time)


@pytest.mark.parametrize("time", ["-1", "nan", "inf", "1e300", "now", "", "2026-01-01", "1,2"])
@in_thread
def test_bad_time(served: Served, time: str) -> None:
    for method, path, body in [("POST", "/streams/a", "1"), ("PATCH", "/state", '{"a":1}')]:
        answer = served.request(method, path, body, {"Streamd-Time": time})
        assert refusal(answer) == (400, "bad-time")
    assert served.state() == {}


# -- many at once ----------------------------------------------------------------------------------


@in_thread
def test_patch_publishes_many(served: Served) -> None:
    served.post("lag", 0)
    answer = served.request("PATCH", "/state", '{"orders": 7, "lag": 0.2, "none": null}')
    assert answer.status == 200
    said = answer.json()
    assert {name: receipt["seq"] for name, receipt in said["streams"].items()} == {
        "orders": 1,
        "lag": 2,
        "none": 1,
    }
    assert said["at"] == said["streams"]["none"]["at"]
    assert served.state() == {"orders": 7, "lag": 0.2, "none": None}


@in_thread
def test_patch_with_a_time(served: Served) -> None:
    served.request("PATCH", "/state", '{"a": 1, "b": 2}', {"Streamd-Time": "5"})
    streams = served.request("GET", "/streams").json()["streams"]
    assert [stream["time"] for stream in streams.values()] == [5, 5]


@in_thread
def test_patch_of_nothing(served: Served) -> None:
    answer = served.request("PATCH", "/state", "{}")
    assert (answer.status, answer.json()) == (200, {"at": "0-0", "streams": {}})


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"a": 1, "-": 2}', (400, "bad-name")),
        (b'{"a": 1, "b": 1e999}', (400, "bad-value")),
        (b'{"a": 1, "b": ' + b"9" * 400 + b"}", (400, "bad-value")),
        (b'{"a": 1, "b": "' + b"x" * MAX_VALUE + b'"}', (413, "too-large")),
        (b'{"a": 1, "b": NaN}', (400, "bad-json")),
        (b'{"a": 1, "b": "\xff"}', (400, None)),
        (b'{"a": 1, "\xff": 1}', (400, None)),
        (b'{"a": 1, "b": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", (400, None)),
        (b'{"a": 1', (400, "bad-json")),
        (b"[1]", (400, "bad-json")),
        (b"", (400, "bad-json")),
        (b"null", (400, "bad-json")),
    ],
    ids=lambda case: repr(case[:25]),
)
@in_thread
def test_patch_is_all_or_nothing(served: Served, body: bytes, why: tuple[int, str | None]) -> None:
    answer = served.request("PATCH", "/state", body)
    status, code = refusal(answer)
    assert (status, code if why[1] else None) == why
    assert served.state() == {}


@in_thread
def test_refusal_in_a_patch_names_the_stream(served: Served) -> None:
    answer = served.request("PATCH", "/state", '{"a": 1, "b": 1e999}')
    assert answer.json()["error"]["message"].startswith("b: ")


# -- bounds of the whole ---------------------------------------------------------------------------


@in_thread
def test_too_many_streams(serve: Serve) -> None:
    served = serve(QUIET + "\n[server]\nmax_streams = 2")
    assert served.request("PATCH", "/state", '{"a": 1, "b": 1}').status == 200
    answer = served.request("POST", "/streams/c", "1")
    assert refusal(answer) == (429, "too-many-streams")
    assert answer.headers["Retry-After"]
    assert served.request("PATCH", "/state", '{"a": 2, "c": 1}').status == 429
    assert served.state() == {"a": 1, "b": 1}
    served.post("a", 3)
    assert served.request("DELETE", "/streams/b").status == 204
    served.post("c", 1)
    assert served.state() == {"a": 3, "c": 1}


@in_thread
def test_too_much_state(serve: Serve) -> None:
    served = serve(QUIET + '\n[server]\nmax_state = "256KiB"')
    for name in "abc":
        served.post(name, "x" * 60_000)
    for _ in range(20):
        served.post("a", "y" * 60_000)
    answers = [served.request("POST", f"/streams/{n}", f'"{"x" * 60_000}"') for n in "de"]
    assert refusal(answers[-1]) == (429, "state-full")
    assert served.run(lambda: served.service.state.size) <= 256 * 1024
    assert served.state()["b"] == "x" * 60_000


# -- forgetting ------------------------------------------------------------------------------------


@in_thread
def test_forget(served: Served) -> None:
    served.post("a", 1)
    served.post("b", 1)
    answer = served.request("DELETE", "/streams/a")
    assert (answer.status, answer.body) == (204, b"")
    assert served.state() == {"b": 1}
    assert refusal(served.request("DELETE", "/streams/a")) == (404, "unknown-stream")
    served.post("a", 2)
    assert served.state() == {"a": 2, "b": 1}


# -- what Smashing sends ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ({"auth_token": "YOUR_AUTH_TOKEN", "current": 5}, 5),
        ({"current": 5}, 5),
        ({"auth_token": "x", "current": None}, None),
        ({"auth_token": "x", "current": 5, "last": 4}, {"current": 5, "last": 4}),
        ({"auth_token": "x", "text": "hi"}, {"text": "hi"}),
        ({"auth_token": "x", "items": [{"label": "a", "value": 1}]}, None),
        ({"auth_token": 7, "current": 1}, 1),
    ],
)
@in_thread
def test_widget(served: Served, body: dict[str, Any], value: Any) -> None:
    answer = served.request("POST", "/widgets/orders", json.dumps(body))
    assert (answer.status, answer.body) == (204, b"")
    if "items" in body:
        value = {"items": body["items"]}
    assert served.state() == {"orders": value}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"current": 1e999}', 400),
        (b'{"current": NaN}', 400),
        (b'{"current": ' + b"9" * 400 + b"}", 400),
        (b'{"current": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", 400),
        (b'{"current": "' + b"x" * MAX_VALUE + b'"}', 413),
        (b"current=5", 400),
        (b"5", 400),
        (b"", 400),
        (b'{"current": "\xff"}', 400),
    ],
    ids=lambda case: repr(case)[:25],
)
@in_thread
def test_bad_widget(served: Served, body: bytes, status: int) -> None:
    assert served.request("POST", "/widgets/orders", body).status == status
    assert served.state() == {}


@in_thread
def test_token_of_a_widget(serve: Serve) -> None:
    served = serve(WITH_TOKEN, ["right", "other"])
    for token, status in [("right", 204), ("other", 204), ("wrong", 401), (None, 401), ("", 401)]:
        fields = {"current": 1} | ({} if token is None else {"auth_token": token})
        answer = served.request("POST", "/widgets/a", json.dumps(fields))
        assert answer.status == status, token
    assert served.request("POST", "/widgets/a", '{"current": 2}', TOKEN).status == 204


# -- idempotency keys ------------------------------------------------------------------------------


@in_thread
def test_same_key_same_answer(served: Served) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = served.request("POST", "/streams/a", "1", key)
    served.post("a", 2)
    again = served.request("POST", "/streams/a", "1", key)
    assert (again.status, again.body) == (first.status, first.body)
    assert served.state() == {"a": 2}
    first = served.request("PATCH", "/state", '{"b": 1, "c": 2}', {"Idempotency-Key": "k-2"})
    again = served.request("PATCH", "/state", '{"b": 1, "c": 2}', {"Idempotency-Key": "k-2"})
    assert again.json() == first.json()


@in_thread
def test_same_key_same_answer_where_there_is_no_room(serve: Serve) -> None:
    served = serve(QUIET + "\n[server]\nmax_streams = 1")
    first = served.request("POST", "/streams/a", "1", {"Idempotency-Key": "k"})
    assert first.status == 201
    assert served.request("DELETE", "/streams/a").status == 204
    served.post("b", 1)
    again = served.request("POST", "/streams/a", "1", {"Idempotency-Key": "k"})
    assert (again.status, again.body) == (201, first.body)
    other = served.request("POST", "/streams/a", "2", {"Idempotency-Key": "k"})
    assert refusal(other) == (409, "conflict")
    new = served.request("POST", "/streams/a", "1", {"Idempotency-Key": "new"})
    assert refusal(new) == (429, "too-many-streams")
    assert served.state() == {"b": 1}


@in_thread
def test_same_key_for_something_else(served: Served) -> None:
    key = {"Idempotency-Key": "k"}
    assert served.request("POST", "/streams/a", "1", key).status == 201
    for method, path, body, headers in [
        ("POST", "/streams/a", "2", {}),
        ("POST", "/streams/b", "1", {}),
        ("POST", "/streams/a", "1", {"Streamd-Time": "5"}),
        ("PATCH", "/state", '{"a": 1}', {}),
    ]:
        answer = served.request(method, path, body, {**key, **headers})
        assert refusal(answer) == (409, "conflict")
    assert served.request("GET", "/streams/a").json()["seq"] == 1


@in_thread
def test_same_key_of_another_token_is_another_key(serve: Serve) -> None:
    served = serve(WITH_TOKEN, ["right", "other"])
    for token, seq in (("right", 1), ("other", 2), ("right", 1), ("other", 2)):
        headers = {"Idempotency-Key": "k", "Authorization": f"Bearer {token}"}
        assert served.request("POST", "/streams/a", "1", headers).json()["seq"] == seq
    body = '{"auth_token": "other", "current": 1}'
    answer = served.request("POST", "/widgets/a", body, {"Idempotency-Key": "k"})
    assert refusal(answer) == (409, "conflict")


@in_thread
def test_key_of_a_refused_request_is_not_used_up(served: Served) -> None:
    key = {"Idempotency-Key": "k"}
    assert served.request("POST", "/streams/a", "NaN", key).status == 400
    assert served.request("POST", "/streams/a", "1", key).status == 201


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é"])
@in_thread
def test_bad_key(served: Served, key: str) -> None:
    wire = served.wire(
        head("POST", "/streams/a", f"Idempotency-Key: {key}", "Content-Length: 1") + b"1"
    )
    assert refusal(wire.answer()) == (400, "bad-key")
    assert served.state() == {}


@in_thread
def test_keys_are_remembered_for_five_minutes(served: Served) -> None:
    clock = Clock()
    journal = served.service.journal
    assert isinstance(journal, MemoryJournal)
    journal._elapsed = clock.seconds
    key = {"Idempotency-Key": "k"}
    assert served.request("POST", "/streams/a", "1", key).json()["seq"] == 1
    clock.advance(299)
    assert served.request("POST", "/streams/a", "1", key).json()["seq"] == 1
    clock.advance(1)
    assert served.request("POST", "/streams/a", "1", key).json()["seq"] == 2


# -- who may ---------------------------------------------------------------------------------------

WRITES = [
    ("POST", "/streams/a", "1"),
    ("PATCH", "/state", '{"a": 1}'),
    ("DELETE", "/streams/a", None),
    ("POST", "/widgets/a", '{"current": 1}'),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=str)
@in_thread
def test_tokens(serve: Serve, method: str, path: str, body: str | None) -> None:
    served = serve(WITH_TOKEN, ["right", "other"])
    for header in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "right"},
        {"Authorization": "Basic right"},
        {"Authorization": "Bearer right, Bearer right"},
        {"Authorization": "Bearer r\xefght"},
    ):
        answer = served.request(method, path, body, header)
        assert answer.status == 401, header
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "right" not in answer.text
    assert served.state() == {}
    served.request("POST", "/streams/a", "0", TOKEN)
    for header in (TOKEN, {"Authorization": "bearer other"}):
        answer = served.request(method, path, body, header)
        assert answer.status < 300 or method == "DELETE", answer.text
    if method == "DELETE":
        assert served.state() == {}


@in_thread
def test_token_in_the_address_is_none(serve: Serve) -> None:
    served = serve(WITH_TOKEN, ["right"])
    for query in ("?token=right", "?access_token=right", "?auth_token=right"):
        assert served.request("POST", f"/streams/a{query}", "1").status == 401


@in_thread
def test_token_is_judged_also_where_none_is_needed(served: Served) -> None:
    answer = served.request("POST", "/streams/a", "1", TOKEN)
    assert refusal(answer) == (401, "bad-token")


@in_thread
def test_configuration_that_does_not_say_so_lets_nobody_publish(serve: Serve) -> None:
    served = serve("")
    for method, path, body in WRITES:
        assert refusal(served.request(method, path, body)) == (401, "no-token")


@in_thread
def test_without_a_configuration_this_machine_publishes(serve: Serve) -> None:
    served = serve(None)
    for method, path, body in WRITES:
        assert served.request(method, path, body).status < 300


FORWARDED = [
    "X-Forwarded-For: 10.0.0.1",
    "x-forwarded-host: wall.example",
    "X-Forwarded-Proto: https",
    "X-Real-IP: 10.0.0.1",
    "Forwarded: for=10.0.0.1",
    "Via: 1.1 proxy",
    "X-Forwarded-For:",
]


@pytest.mark.parametrize("line", FORWARDED)
@in_thread
def test_proxy_is_not_this_machine(served: Served, line: str) -> None:
    wire = served.wire(head("POST", "/streams/a", line, "Content-Length: 1") + b"1")
    assert refusal(wire.answer()) == (401, "no-token")
    assert served.state() == {}


@in_thread
def test_http_1_0_is_not_this_machine(serve: Serve) -> None:
    """Old proxies speak it, and add no header that says so."""
    request = b"POST /streams/a HTTP/1.0\r\nHost: localhost\r\nContent-Length: 1\r\n%s\r\n1"
    served = serve()
    assert refusal(served.wire(request % b"").answer()) == (401, "no-token")
    served = serve(WITH_TOKEN, ["right"])
    assert served.wire(request % b"Authorization: Bearer right\r\n").answer().status == 201


ORIGINS = ["http://evil.example", "null", "file://", "http://localhost:81", "http://127.0.0.1", ""]


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("text", [None, QUIET])
@in_thread
def test_foreign_page_never_publishes(serve: Serve, origin: str, text: str | None) -> None:
    served = serve(text)
    before = set(served.state())
    for method, path, body in WRITES:
        length = len(body or "")
        lines = [f"Origin: {origin}", f"Content-Length: {length}", "Content-Type: text/plain"]
        wire = served.wire(head(method, path, *lines) + (body or "").encode())
        assert refusal(wire.answer()) == (403, "foreign-origin")
    assert set(served.state()) == before


@in_thread
def test_foreign_page_does_not_publish_with_a_token(serve: Serve) -> None:
    served = serve(WITH_TOKEN, ["right"])
    headers = {**TOKEN, "Origin": "http://evil.example"}
    assert served.request("POST", "/streams/a", "1", headers).status == 403


@in_thread
def test_own_page_publishes_and_pages_of_publish_origins(serve: Serve) -> None:
    keys = '\n[server]\norigins = ["https://a.example"]\npublish_origins = ["https://b.example"]'
    served = serve(QUIET + keys)
    for origin in (f"http://127.0.0.1:{served.port}", "https://b.example"):
        answer = served.request("POST", "/streams/a", "1", {"Origin": origin})
        assert answer.status == 201
        assert answer.headers["Access-Control-Allow-Origin"] == origin
    for origin in ("https://a.example", f"https://127.0.0.1:{served.port}"):
        for method, path, body in WRITES:
            answer = served.request(method, path, body, {"Origin": origin})
            assert refusal(answer) == (403, "foreign-origin")
    assert served.request("GET", "/state", headers={"Origin": "https://a.example"}).status == 200


@in_thread
def test_every_request_that_changes_something_asks_for_access(serve: Serve) -> None:
    hook = '[hooks.a]\nsecret = "0123456789abcdef"'
    served = serve(f'[server]\norigins = ["https://a.example"]\n{hook}', ["right"], ["right"])
    site = served.service.site
    named = {f"{parent}/a": views for parent, views in site._named.items()}
    below = {f"{parent}/a": views for parent, views in site._below.items()}
    routes = {**site._fixed, **named, **below}.items()
    changes = [(method, path) for path, views in routes for method in views if method != "GET"]
    # Clients of Socket.IO can only read; their POST is a part of the transport.
    changes = [(method, path) for method, path in changes if path != "/socket.io/"]
    changes.remove(("POST", "/pairing"))  # a screen asks for a code here, and has no right yet
    changes.remove(("DELETE", "/admin/session"))  # it ends only the session of its own cookie
    assert set(changes) == {(m, p) for m, p, _ in WRITES} | {
        ("POST", "/screens/a"),
        ("POST", "/alerts/a"),
        ("POST", "/links"),
        ("POST", "/pairing/a"),
        ("POST", "/grants/a"),
        ("DELETE", "/grants/a"),
        ("POST", "/hooks/a"),
        ("POST", "/admin/session"),
        ("POST", "/write"),
        ("POST", "/api/v2/write"),
    }
    for method, path in changes:
        for headers, wanted in (
            ({}, (401, "no-token")),
            ({"Authorization": "Bearer wrong"}, (401, "bad-token")),
            ({"Origin": "https://a.example", **TOKEN}, (403, "foreign-origin")),
            ({"Origin": f"https://127.0.0.1:{served.port}", **TOKEN}, (403, "foreign-origin")),
        ):
            assert refusal(served.request(method, path, "{}", headers)) == wanted


@in_thread
def test_foreign_host_does_not_publish(served: Served) -> None:
    """A name that an attacker points here would make his page "the same origin"."""
    lines = ["Origin: http://evil.example", "Content-Length: 1"]
    wire = served.wire(head("POST", "/streams/a", *lines, host="evil.example") + b"1")
    assert refusal(wire.answer()) == (421, "unknown-host")


@in_thread
def test_nobody_notices_what_was_refused(served: Served) -> None:
    served.post("a", 1)
    with served.connect() as viewer:
        assert viewer.recv() == '{"a":1}'
        for body in ("NaN", "x" * 65 * 1024, ""):
            assert served.request("POST", "/streams/a", body).status >= 400
        served.post("a", 2)
        assert viewer.recv(timeout=20) == '{"a":2}'


def test_streams_that_wait_for_the_journal_count() -> None:
    daemon = Daemonette(max_streams=100)
    steps: list[Any] = []

    async def carry_out(requests: Any) -> Any:
        steps.append(requests)
        await Deferred()

    daemon.journal._queue._carry_out = carry_out
    access: Any = SimpleNamespace(check_change=lambda request, right, token: LOCAL)
    publisher = Publisher(access, daemon.journal, daemon.state)

    def publish(prefix: str) -> None:
        body = json.dumps({f"{prefix}.{number}": 1 for number in range(100)}).encode()
        publisher.patch_state(Request("PATCH", "/state")).take(body)

    publish("a")
    for prefix in "bcdefghij":
        with pytest.raises(Refused, match="max_streams"):
            publish(prefix)
    assert len(steps) == 1
    assert daemon.journal._queue._count == 1
