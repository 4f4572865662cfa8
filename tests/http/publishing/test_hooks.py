"""Webhooks: what each sender sends becomes a stream, once, and nothing else does."""

from __future__ import annotations

import json
import re
import threading
import time
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from twisted.internet.task import Clock

from streamd.app.load import MIN_TOKEN, load
from streamd.config.fields import ConfigError
from streamd.http.publishing import hooks
from streamd.http.uploads import MAX_BODY
from tests.support import deliveries as made
from tests.support.daemon import CHECKOUT, StartDaemon
from tests.support.deliveries import GITHUB, SECRET, alert, alertmanager, body_of
from tests.support.net import Answer, wait_until
from tests.support.redis import Redis
from tests.support.served import Serve, Served, in_thread
from tests.support.streams import Streams

BEARER = {"Authorization": f"Bearer {SECRET}"}
PAGE = (CHECKOUT / "docs/hooks.rst").read_text()


def pasted(name: str) -> str:
    """The configuration of an example in the documentation."""
    form = rf"\.\. code-block:: toml\n   :class: hook-{name}\n\n((?:    .*\n|\n)+)"
    blocks = re.findall(form, PAGE)
    assert blocks, name
    return re.sub(r"(?m)^    ", "", "".join(blocks))


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in re.findall(r'env = "(\w+)"', PAGE):
        monkeypatch.setenv(name, SECRET)
    for file in ("kuma.secret", "stripe"):
        (tmp_path / file).write_text(f"{SECRET}\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def send(
    served: Any, hook: str, body: Any, headers: dict[str, str] | None = None, query: str = ""
) -> Answer:
    data = body if isinstance(body, bytes) else body_of(body)
    answer: Answer = served.request("POST", f"/hooks/{hook}{query}", data, headers or {})
    return answer


def told(answer: Answer) -> Any:
    assert answer.status == 200, answer.text
    return answer.json()


def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


# -- the examples of the documentation -------------------------------------------------------------


def form_of(document: Any) -> tuple[bytes, dict[str, str]]:
    body = urlencode({"payload": json.dumps(document)}).encode()
    return body, {"Content-Type": "application/x-www-form-urlencoded"}


def now() -> float:
    return time.time()


EXAMPLES: list[tuple[str, Any, Any, dict[str, Any]]] = [
    ("github", GITHUB, lambda body: made.github(body), {"build.shop": "failure"}),
    (
        "gitlab",
        made.GITLAB,
        lambda body: {"X-Gitlab-Token": SECRET, "X-Gitlab-Event": "Pipeline Hook"},
        {"build.octo_shop": "success"},
    ),
    (
        "alertmanager",
        alertmanager(alert("firing", "HighLoad", "a"), alert("resolved", "HighLoad", "b")),
        lambda body: BEARER,
        {"prometheus.HighLoad": "firing"},
    ),
    (
        "alerts",
        alertmanager(alert("firing", "HighLoad", "a"), alert("resolved", "HighLoad", "b")),
        lambda body: BEARER,
        {"prometheus.HighLoad.a": "firing", "prometheus.HighLoad.b": "resolved"},
    ),
    (
        "grafana",
        made.GRAFANA,
        lambda body: made.grafana(body, time=now()),
        {"grafana.HighLoad.state": "firing", "grafana.HighLoad.since": "2026-11-22T05:40:00.000Z"},
    ),
    ("stripe", made.STRIPE, lambda body: made.stripe(body, time=now()), {"payments.eur": 2000}),
    ("uptime-kuma", made.KUMA, lambda body: BEARER, {"up.Shop_page": 0}),
    ("till", {"kind": "sale", "amount": 12.5}, lambda body: BEARER, {"till.amount": 12.5}),
]


@pytest.mark.parametrize(
    ("name", "document", "sign", "streams"), EXAMPLES, ids=lambda e: str(e)[:12]
)
@in_thread
def test_examples_of_the_documentation(
    serve: Serve, name: str, document: Any, sign: Any, streams: dict[str, Any]
) -> None:
    served = serve(pasted(name))
    body = body_of(document)
    receipt = told(send(served, name, body, sign(body)))
    assert set(receipt["streams"]) == set(streams)
    assert receipt["at"] == served.cursor()
    state = served.state()
    assert {stream: state[stream] for stream in streams} == streams
    for headers in ({}, {"Authorization": "Bearer another-secret---"}, made.github(body, "other")):
        assert send(served, name, body, headers).status == 401
    assert served.cursor() == receipt["at"]


def test_every_example_is_pasted() -> None:
    assert set(re.findall(r":class: hook-(.*)", PAGE)) == {name for name, *_ in EXAMPLES}


@in_thread
def test_command_of_the_documentation(serve: Serve) -> None:
    served = serve(pasted("till"))
    body = re.search(r"-d '(.*?)'", PAGE)
    assert body is not None
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert told(send(served, "till", body[1].encode(), {**BEARER, **form}))["streams"]


# -- which deliveries count ------------------------------------------------------------------------


@in_thread
def test_build_on_the_wall_in_five_lines(serve: Serve) -> None:
    served = serve(pasted("github"))
    level = lambda: Streams(served).all()["build.shop"]["health"]["level"]  # noqa: E731
    with served.connect("/ws?streams=build.shop") as viewer:
        assert json.loads(viewer.recv(20)) == {}
        body = body_of(GITHUB)
        told(send(served, "github", body, made.github(body)))
        assert json.loads(viewer.recv(20)) == {"build.shop": "failure"}
    assert level() == "critical"
    better = {**GITHUB, "workflow_run": {**GITHUB["workflow_run"], "conclusion": "success"}}
    body, kind = form_of(better)
    told(send(served, "github", body, made.github(body, **kind, **{"X-GitHub-Delivery": "2"})))
    assert level() == "ok"


@in_thread
def test_tests_and_other_events_are_ignored(serve: Serve) -> None:
    served = serve(pasted("github") + pasted("uptime-kuma") + pasted("till"))
    before = served.cursor()
    for event, why in (("ping", "test"), ("push", "event")):
        body = body_of(made.GITHUB_PING)
        headers = made.github(body, **{"X-GitHub-Event": event})
        assert told(send(served, "github", body, headers)) == {"ignored": why}
    assert told(send(served, "uptime-kuma", made.KUMA_TEST, BEARER)) == {"ignored": "test"}
    assert told(send(served, "till", {"kind": "return"}, BEARER)) == {"ignored": "when"}
    assert served.cursor() == before


@in_thread
def test_bad_values_are_refused_and_stop_no_other(serve: Serve) -> None:
    served = serve(pasted("alerts"))
    batch = alertmanager(alert("firing", "HighLoad", "a"), {"status": "firing", "labels": {}})
    answer = told(send(served, "alerts", batch, BEARER))
    assert set(answer["streams"]) == {"prometheus.HighLoad.a"}
    assert answer["refused"] == ["there is nothing at /labels/alertname"]
    for body, status, code in (
        ({"alerts": [{}]}, 400, "bad-value"),
        ({}, 400, "bad-value"),
        (b"{", 400, "bad-json"),
    ):
        assert refusal(send(served, "alerts", body, BEARER)) == (status, code)
    other = {**BEARER, "Content-Type": "text/xml"}
    assert refusal(send(served, "alerts", b"<a/>", other)) == (415, "bad-type")
    packed = {**BEARER, "Content-Encoding": "gzip"}
    assert refusal(send(served, "alerts", b"x", packed)) == (415, "bad-encoding")
    huge = b'"' + b"x" * MAX_BODY + b'"'
    assert refusal(send(served, "alerts", huge, BEARER)) == (413, "too-large")
    assert refusal(send(served, "nothing", {}, BEARER)) == (404, "unknown-hook")


# -- once ------------------------------------------------------------------------------------------


def deliver(served: Any, id: str = "1") -> Any:
    body = body_of(GITHUB)
    return told(send(served, "github", body, made.github(body, **{"X-GitHub-Delivery": id})))


@in_thread
def test_delivery_counts_once(serve: Serve) -> None:
    served = serve(pasted("github"))
    assert deliver(served)["streams"]["build.shop"]["seq"] == 1
    assert deliver(served) == {"ignored": "repeated"}
    assert deliver(served, "2")["streams"]["build.shop"]["seq"] == 2
    assert deliver(served) == {"ignored": "repeated"}


@in_thread
def test_deliveries_that_come_together(serve: Serve) -> None:
    served = serve(pasted("github"))
    answers: list[Any] = []
    senders = [
        threading.Thread(target=lambda id=id: answers.append(deliver(served, id)))
        for id in "1122334455"
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert sorted("streams" in answer for answer in answers) == [False] * 5 + [True] * 5
    assert Streams(served).all()["build.shop"]["seq"] == 5


@in_thread
def test_only_the_newest_deliveries_are_remembered(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "REMEMBERED", 2)
    served = serve(pasted("github"))
    for id in "123":
        assert "streams" in deliver(served, id)
    for id in "23":
        assert deliver(served, id) == {"ignored": "repeated"}
    assert "streams" in deliver(served, "1")


@in_thread
def test_replayed_signature_of_grafana_counts_once(serve: Serve) -> None:
    served = serve(pasted("grafana"))
    body = body_of(made.GRAFANA)
    headers = made.grafana(body, time=now())
    assert "streams" in told(send(served, "grafana", body, headers))
    assert told(send(served, "grafana", body, headers)) == {"ignored": "repeated"}
    old = made.grafana(body, time=now() - 400)
    assert refusal(send(served, "grafana", body, old)) == (401, "too-old")


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@in_thread
def test_delivery_counts_once_after_a_restart_and_on_another_node(
    start_daemon: StartDaemon, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    journal = f'[journal]\npath = "{tmp_path}/streamd.db"\n'
    if kind == "redis":
        redis: Redis = request.getfixturevalue("redis")
        journal = f'[journal]\nurl = "redis://127.0.0.1:{redis.port}"\n'
    first = start_daemon(config=journal + pasted("github"))
    assert deliver(first)["streams"]["build.shop"]["seq"] == 1
    if kind == "redis":
        second = start_daemon(config=journal + pasted("github"))
        for node in (second, first):
            assert deliver(node) == {"ignored": "repeated"}
        for n, node in enumerate((second, first, second, first), 2):
            assert deliver(node, str(n))["streams"]["build.shop"]["seq"] == n
        assert deliver(second, "5") == {"ignored": "repeated"}
    first.kill()
    first.start()
    assert deliver(first) == {"ignored": "repeated"}


# -- secrets ---------------------------------------------------------------------------------------


@in_thread
def test_every_way_to_send_the_secret(serve: Serve) -> None:
    served = serve(pasted("till") + pasted("github"))
    basic = b64encode(f"anybody:{SECRET}".encode()).decode()
    wrong = b64encode(b"anybody:wrong").decode()
    sale = {"kind": "sale", "amount": 1}
    for headers, query, status in (
        (BEARER, "", 200),
        ({"Authorization": f"Basic {basic}"}, "", 200),
        ({"Streamd-Token": SECRET, "Authorization": f"Basic {wrong}"}, "", 200),
        ({}, f"?key={SECRET}", 200),
        ({}, "", 401),
        ({}, "?key=", 401),
        ({}, f"?key={SECRET}x", 401),
        ({"Authorization": f"Basic {wrong}"}, "", 401),
        ({"Authorization": "Basic ?"}, "", 401),
        ({"Authorization": f"Digest {SECRET}"}, "", 401),
    ):
        answer = send(served, "till", sale, headers, query)
        assert answer.status == status, (headers, query)
        assert status == 200 or refusal(answer)[1] in ("no-token", "bad-token")
    run = {"X-GitHub-Event": "workflow_run"}
    assert "streams" in told(send(served, "github", GITHUB, run, f"?key={SECRET}"))
    # A proxy's password stands beside a signature.
    body = body_of(GITHUB)
    proxied = made.github(body, Authorization=f"Basic {wrong}")
    assert "streams" in told(send(served, "github", body, proxied))


@in_thread
def test_secret_in_the_address_is_in_no_line_of_the_log(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(config=pasted("till") + "[log]\naccess = true\n")
    send(daemon, "till", {"kind": "sale", "amount": 1}, {}, f"?key={SECRET}")
    send(daemon, "till", b"{", {}, f"?key={SECRET}")
    send(daemon, "till", {}, {}, f"?key=x{SECRET}")
    wait_until(lambda: daemon.log().count("/hooks/till") >= 4)
    assert SECRET not in daemon.log()


@in_thread
def test_pages_of_other_origins_are_refused(serve: Serve) -> None:
    served = serve(pasted("till"))
    foreign = {**BEARER, "Origin": "https://evil.example"}
    assert refusal(send(served, "till", {}, foreign)) == (403, "foreign-origin")
    assert served.request("GET", "/hooks/till").status == 405


def test_mistakes_of_secrets(tmp_path: Path) -> None:
    for secret, words in (
        ('"short"', f"expected a secret of at least {MIN_TOKEN} characters"),
        ('{ env = "NOT_SET" }', "the environment variable NOT_SET is empty or not set"),
        ('{ file = "missing" }', "cannot read missing"),
    ):
        (tmp_path / "streamd.toml").write_text(f"[hooks.x]\nsecret = {secret}\n")
        with pytest.raises(ConfigError) as caught:
            load(str(tmp_path / "streamd.toml"), Clock())
        [problem] = caught.value.problems
        assert problem.startswith(f"hooks.x.secret: {words}")


# -- lateness and reload ---------------------------------------------------------------------------


@in_thread
def test_dead_sender_makes_its_streams_late(serve: Serve) -> None:
    served = serve('[hooks.till]\nsecret = { env = "TILL_SECRET" }\nexpect = "300ms"\n')
    told(send(served, "till", {"amount": 1}, BEARER))
    streams = Streams(served)
    assert streams.all()["till.amount"]["expect"] == 0.3
    assert streams.expect_health("till.amount", "late") is None
    assert streams.health("till.amount") == ("late", None)


def reload(served: Served, text: str) -> None:
    from streamd.app.load import Loaded, reveal_tokens
    from streamd.app.reload import Reload
    from streamd.config.fields import Problems
    from streamd.config.kind import Surroundings
    from streamd.config.parse import parse

    def again() -> None:
        config = parse(text, ())
        tokens = reveal_tokens(config, Surroundings(None, Path()), Problems())
        Reload(served.service, config, lambda: Loaded(config, tokens, Path())).reload()

    served.run(again)


@in_thread
def test_reload(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve(pasted("till"))
    told(send(served, "till", {"kind": "sale", "amount": 1}, BEARER))
    monkeypatch.setenv("TILL_SECRET", "another-long-secret")
    reload(served, pasted("till") + 'expect = "1h"\n' + pasted("github"))
    assert Streams(served).all()["till.amount"]["expect"] == 3600
    assert send(served, "till", {}, BEARER).status == 401
    assert send(served, "till", {}, {"Authorization": "Bearer another-long-secret"}).status == 200
    assert "streams" in deliver(served)
    reload(served, pasted("github"))
    assert "expect" not in Streams(served).all()["till.amount"]
    assert refusal(send(served, "till", {}, BEARER)) == (404, "unknown-hook")
    assert deliver(served) == {"ignored": "repeated"}
