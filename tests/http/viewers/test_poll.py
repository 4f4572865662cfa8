"""``GET /updates`` over real TCP, item by item as docs/protocol.rst promises it."""

from __future__ import annotations

import gzip
import json
import time
from threading import Thread
from typing import Any

import pytest

from streamd.core import catchup
from streamd.core.values import MAX_VALUE
from streamd.http.viewers import poll
from tests.support.fakes import fail_source
from tests.support.net import Answer, wait_until
from tests.support.served import QUIET, Serve, Served, flush_all, head, in_thread

DESCRIBED = f"""{QUIET}
[streams.load]
keep = 3
warn = "> 50"
[streams.pulse]
expect = "1s"
"""


def ask(served: Served, query: str = "") -> Answer:
    return served.request("GET", f"/updates{query}")


def seqs(answer: Answer) -> list[tuple[str, int]]:
    assert answer.status == 200, answer.text
    return [(update["stream"], update["seq"]) for update in answer.json()["updates"]]


class Waiting:
    """A poll that is under way."""

    def __init__(self, served: Served, query: str) -> None:
        self._found: list[Answer] = []
        waiting = served.run(len, served.service.hub)
        self._thread = Thread(target=lambda: self._found.append(ask(served, query)))
        self._thread.start()
        wait_until(lambda: served.run(len, served.service.hub) > waiting)

    def answer(self) -> Answer:
        self._thread.join(30)
        assert self._found, "no answer came"
        return self._found[0]


# -- at once ---------------------------------------------------------------------------------------


@in_thread
def test_without_a_cursor_the_first_answer_at_once(served: Served) -> None:
    for name in ("a", "b", "a"):
        served.post(name, name)
    answer = ask(served)
    said = answer.json()
    assert set(said) == {"type", "at", "resumed", "updates", "health", "streams"}
    assert (said["type"], said["resumed"], said["at"]) == ("updates", False, served.cursor())
    assert seqs(answer) == [("b", 1), ("a", 2)]
    assert set(said["health"]) == set(said["streams"]) == {"a", "b"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Streamd-Position"] == said["at"]
    assert answer.body.endswith(b"\n"), "pleasant in a shell"


@in_thread
def test_first_answer_of_nothing(served: Served) -> None:
    said = ask(served).json()
    assert (said["at"], said["updates"], said["streams"]) == ("0-0", [], {})


@in_thread
def test_history(served: Served) -> None:
    for number in range(4):
        served.post("a", number)
    assert seqs(ask(served, "?history=3")) == [("a", 2), ("a", 3), ("a", 4)]


@in_thread
def test_long_history_is_read_in_steps(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catchup, "MANY_LOOKS", 3)
    for number in range(40):
        served.post(f"s{number % 4}", number)
    whole = [(f"s{number % 4}", number // 4 + 1) for number in range(40)]
    assert seqs(ask(served, "?history=100")) == whole
    assert seqs(ask(served, "?history=2")) == whole[-8:]
    assert seqs(ask(served, "?history=3&streams=s1")) == [("s1", 8), ("s1", 9), ("s1", 10)]
    assert seqs(ask(served, "?history=3&streams=none")) == []


@in_thread
def test_what_comes_while_a_long_history_is_read_belongs_to_the_next_answer(
    served: Served,
) -> None:
    texts = [("a", f"{number}{'x' * 60_000}") for number in range(90)]
    served.post_at_once(*texts)
    wire = served.wire(head("GET", "/updates?history=100"), receive_buffer=4096)
    wait_until(lambda: served.run(lambda: served.service.site.unread.quota.used) > 0)
    served.post_at_once(("a", "new"), ("b", "new"))
    answer = wire.answer()
    assert seqs(answer) == [("a", seq) for seq in range(1, 91)]
    at = answer.json()["at"]
    assert seqs(ask(served, f"?after={at}")) == [("a", 91), ("b", 1)]


@in_thread
def test_what_was_missed_at_once(served: Served) -> None:
    served.post("a", 1)
    at = served.cursor()
    served.post("a", 2)
    served.post("b", 1)
    answer = ask(served, f"?after={at}")
    assert answer.json()["resumed"] is True
    assert seqs(answer) == [("a", 2), ("b", 1)]


@pytest.mark.parametrize("after", ["", "nonsense", "1-2"])
@in_thread
def test_cursor_that_cannot_be_resumed_from(served: Served, after: str) -> None:
    served.post("a", 1)
    answer = ask(served, f"?after={after}")
    assert answer.json()["resumed"] is False
    assert seqs(answer) == [("a", 1)]


@in_thread
def test_lost_updates(serve: Serve) -> None:
    served = serve(DESCRIBED)
    served.post("load", 0)
    at = served.cursor()
    for number in range(4):
        served.post("load", number)
    answer = ask(served, f"?after={at}")
    assert answer.json()["resumed"] is False
    assert seqs(answer) == [("load", 5)]


@in_thread
def test_first_answer_is_whole(served: Served) -> None:
    for name in "abcd":
        served.post(name, name * 30_000)
    for number in range(300):  # so that history has lost something behind any cut
        served.post("a", number)
    answer = ask(served)
    assert seqs(answer) == [("b", 1), ("c", 1), ("d", 1), ("a", 301)]
    assert seqs(ask(served, f"?after={answer.json()['at']}&wait=0")) == []


@in_thread
def test_long_answer_goes_on_in_the_next(served: Served) -> None:
    start = served.cursor()
    for name in "abcd":
        served.post(name, name * 30_000)
    first = ask(served, f"?after={start}")
    assert (seqs(first), first.json()["more"]) == ([("a", 1), ("b", 1)], True)
    second = ask(served, f"?after={first.json()['at']}")
    assert (seqs(second), "more" in second.json()) == ([("c", 1), ("d", 1)], False)


# -- waiting ---------------------------------------------------------------------------------------


@in_thread
def test_waits_for_an_update(served: Served) -> None:
    served.post("a", 1)
    waiting = Waiting(served, f"?after={served.cursor()}")
    served.post("a", 2)
    answer = waiting.answer()
    assert seqs(answer) == [("a", 2)]
    said = answer.json()
    assert (said["at"], said["resumed"]) == (served.cursor(), True)


@pytest.mark.parametrize("size", [40_000, MAX_VALUE - 2])
@in_thread
def test_waits_for_a_large_update(served: Served, size: int) -> None:
    waiting = Waiting(served, "?after=0-0")
    values = {name: name * size for name in "abc"}
    served.request("PATCH", "/state", json.dumps(values))
    first = waiting.answer()
    assert (seqs(first), first.json()["more"]) == ([("a", 1)], True)
    assert first.json()["updates"][0]["value"] == values["a"]
    assert seqs(ask(served, f"?after={first.json()['at']}")) == [("b", 1)]


@in_thread
def test_nothing_new(served: Served) -> None:
    served.post("a", 1)
    at = served.cursor()
    began = time.monotonic()
    # What is selected has not changed, lately or at all.
    answer = ask(served, f"?after={at}&streams=b&wait=0.3")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Streamd-Position"] == at
    assert time.monotonic() - began >= 0.3


@in_thread
def test_other_streams_wake_nobody_and_are_passed(served: Served) -> None:
    waiting = Waiting(served, "?after=0-0&streams=b&wait=2")
    served.post("a", 1)
    answer = waiting.answer()
    assert answer.status == 204
    assert answer.headers["Streamd-Position"] == served.cursor()


@in_thread
def test_what_comes_just_before_the_end_of_the_wait_is_not_passed_over(served: Served) -> None:
    """The flush that would tell it is still a pace away."""
    waiting = Waiting(served, "?after=0-0&streams=a&pace=60s&wait=2")
    served.run(served.service.hub.wake)  # the pace's one flush
    served.post("a", 1)
    assert seqs(waiting.answer()) == [("a", 1)]


@in_thread
def test_health_counts(serve: Serve) -> None:
    served = serve(DESCRIBED)
    served.post("pulse", 1)
    said = Waiting(served, f"?after={served.cursor()}&streams=pulse").answer().json()
    assert said["updates"] == []
    assert said["health"]["pulse"]["state"] == "late"


@in_thread
def test_health_that_changed_between_two_polls_is_reported_in_the_end(serve: Serve) -> None:
    served = serve(DESCRIBED)
    served.post("pulse", 1)
    at = served.cursor()
    pulse = served.run(served.service.state.get, "pulse")
    assert pulse is not None
    wait_until(lambda: pulse.health.state == "late")
    said = ask(served, f"?after={at}&streams=pulse&wait=0").json()
    assert said["health"]["pulse"]["state"] == "late"


@in_thread
def test_descriptions_count(served: Served) -> None:
    waiting = Waiting(served, "?after=0-0")
    streamd = served.service

    def fail() -> None:
        fail_source(streamd.state, "shop", "unreachable", streamd.now())
        streamd.hub.wake()

    served.run(fail)
    said = waiting.answer().json()
    assert said["streams"] == {"shop": {"keep": 100}}
    assert said["health"]["shop"]["error"] == "unreachable"


@pytest.mark.parametrize("name", ["load", "free"])
@in_thread
def test_forgotten_while_it_waits(serve: Serve, name: str) -> None:
    """Also a configured one, which goes on without a value: null and a description at once."""
    served = serve(DESCRIBED)
    served.post(name, 1)
    waiting = Waiting(served, f"?after={served.cursor()}&streams={name}")
    served.request("DELETE", f"/streams/{name}")
    said = waiting.answer().json()
    assert (said["resumed"], said["updates"]) == (False, [])
    assert set(said["streams"]) == ({"load"} if name == "load" else set())


@in_thread
def test_lost_while_it_waits(serve: Serve) -> None:
    served = serve(DESCRIBED)
    served.post("load", 0)
    waiting = Waiting(served, f"?after={served.cursor()}&pace=60s&wait=2")
    served.run(flush_all, served.service.hub)
    served.post_at_once(*(("load", number) for number in range(5)))
    answer = waiting.answer()
    assert answer.json()["resumed"] is False
    assert seqs(answer) == [("load", 6)]


@in_thread
def test_nothing_is_missed_from_poll_to_poll(served: Served) -> None:
    found: list[int] = []
    at = "0-0"
    done = 0
    while len(found) < 60:
        if done < 60:
            served.post("a", done)
            done += 1
        answer = ask(served, f"?after={at}&streams=a&wait=0.02")
        at = answer.headers["Streamd-Position"] or answer.json()["at"]
        if answer.status == 200:
            found += [update["seq"] for update in answer.json()["updates"]]
    assert found == list(range(1, 61))


# -- bounds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", ["", "x", "-1", "61", "1e9", "nan", "inf", "0x1"])
@in_thread
def test_bad_wait(served: Served, wait: str) -> None:
    answer = ask(served, f"?after=0-0&wait={wait}")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "bad-wait")


@in_thread
def test_wait_of_nothing(served: Served) -> None:
    assert ask(served, "?after=0-0&wait=0").status == 204


@in_thread
def test_waits_25_seconds_unless_told_otherwise(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert poll.DEFAULT_WAIT == 25
    monkeypatch.setattr(poll, "DEFAULT_WAIT", 0.2)
    assert ask(served, "?after=0-0").status == 204


@in_thread
def test_polls_that_wait_count_as_viewers(serve: Serve) -> None:
    served = serve(f"{QUIET}\n[server]\nmax_viewers = 1")
    waiting = Waiting(served, "?after=0-0")
    assert ask(served, "?after=0-0").status == 503
    assert ask(served).status == 200, "whoever is answered at once takes no room"
    served.post("a", 1)
    assert waiting.answer().status == 200


@in_thread
def test_a_client_that_goes_away_is_forgotten(served: Served) -> None:
    wire = served.wire(head("GET", "/updates?after=0-0"))
    wait_until(lambda: served.run(len, served.service.hub) == 1)
    wire.close()
    wait_until(lambda: served.run(len, served.service.hub) == 0)


@in_thread
def test_connection_is_kept(served: Served) -> None:
    wire = served.wire(head("GET", "/updates?after=0-0&wait=0"))
    assert wire.answer().status == 204
    wire.send(head("GET", "/updates"))
    assert wire.answer().status == 200


@in_thread
def test_two_wait_for_the_same(served: Served) -> None:
    both = [Waiting(served, "?after=0-0") for _ in range(2)]
    served.post("a", 1)
    assert [seqs(waiting.answer()) for waiting in both] == [[("a", 1)], [("a", 1)]]


# -- compression of what is read at once -----------------------------------------------------------


@pytest.mark.parametrize("path", ["/state", "/streams", "/streams/a?history=9", "/updates", "/"])
@in_thread
def test_long_answers_are_compressed_for_clients_that_accept_it(served: Served, path: str) -> None:
    for _ in range(3):
        served.post("a", "long " * 1000)
    plain = served.request("GET", path)
    assert "Content-Encoding" not in plain.headers
    for accepted in ("gzip", "br, gzip;q=0.5", "*"):
        packed: Any = served.request("GET", path, headers={"Accept-Encoding": accepted})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert len(packed.body) < len(plain.body)
        if path in ("/", "/state"):
            assert gzip.decompress(packed.body) == plain.body
    for refused in ("br", "gzip;q=0", "identity"):
        answer = served.request("GET", path, headers={"Accept-Encoding": refused})
        assert "Content-Encoding" not in answer.headers
