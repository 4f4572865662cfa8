"""What GET answers from the state, over real TCP."""

from __future__ import annotations

import json

import pytest

from tests.support.served import QUIET, Serve, Served, in_thread

DESCRIBED = (
    QUIET
    + """
[streams.orders]
title = "Orders"
unit = "/h"
keep = 3
warn = "< 5"
[streams.silent]
title = "Not a word yet"
"""
)

# -- GET /state ------------------------------------------------------------------------------------


@in_thread
def test_state_is_the_newest_of_every_stream(served: Served) -> None:
    for name, value in [("a", 1), ("b", {"x": [None, "é"]}), ("a", 2), ("c", None)]:
        served.post(name, value)
    answer = served.request("GET", "/state")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"a": 2, "b": {"x": [None, "é"]}, "c": None}


@in_thread
def test_empty_state(served: Served) -> None:
    answer = served.request("GET", "/state")
    assert answer.body == b"{}\n"
    assert answer.headers["Streamd-Position"] == "0-0"


@in_thread
def test_state_says_its_position(served: Served) -> None:
    published = served.request("POST", "/streams/a", "1").json()
    assert served.request("GET", "/state").headers["Streamd-Position"] == published["at"]
    assert served.request("HEAD", "/state").headers["Streamd-Position"] == published["at"]


@in_thread
def test_state_that_is_known_is_not_sent_again(served: Served) -> None:
    served.post("a", 1)
    first = served.request("GET", "/state")
    known = {"If-None-Match": first.headers["ETag"]}
    again = served.request("GET", "/state", headers=known)
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Streamd-Position"] == first.headers["Streamd-Position"]
    served.post("a", 2)
    assert served.request("GET", "/state", headers=known).json() == {"a": 2}


@in_thread
def test_tag_of_another_life_is_another(serve: Serve) -> None:
    tags = set()
    for served in (serve(), serve()):
        served.post("a", 1)
        tags.add(served.request("GET", "/state").headers["ETag"])
    assert len(tags) == 2


@in_thread
def test_large_state_is_whole(served: Served) -> None:
    wanted = {f"s{n}": "é" * 10_000 for n in range(10)}
    for name, value in wanted.items():
        served.post(name, value)
    assert served.state() == wanted


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"a", "db.lag", "db.size"}),
        ("?streams=", set()),
        ("?streams=a,none", {"a"}),
        ("?streams=db.*", {"db.lag", "db.size"}),
        ("?streams=db.%3F%3F%3F,a", {"a", "db.lag"}),
    ],
)
@in_thread
def test_selection(served: Served, query: str, names: set[str]) -> None:
    for name in ("db.size", "a", "db.lag"):
        served.post(name, 1)
    assert set(served.request("GET", f"/state{query}").json()) == names
    assert set(served.request("GET", f"/streams{query}").json()["streams"]) == names


@pytest.mark.parametrize("path", ["/state", "/streams"])
@in_thread
def test_bad_selection(served: Served, path: str) -> None:
    answer = served.request("GET", f"{path}?streams=%21")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "bad-selection")


# -- GET /streams ----------------------------------------------------------------------------------


@in_thread
def test_streams_have_all_known_members(serve: Serve) -> None:
    served = serve(DESCRIBED)
    published = served.request("POST", "/streams/orders", "4", {"Streamd-Time": "1700000000.5"})
    served.post("ad-hoc", "x")
    answer = served.request("GET", "/streams")
    assert answer.headers["Content-Type"] == "application/json"
    streams = answer.json()["streams"]
    assert answer.json()["at"] == streams["ad-hoc"]["at"] == answer.headers["Streamd-Position"]
    orders = streams["orders"]
    health = orders.pop("health")
    assert orders == {
        "title": "Orders",
        "unit": "/h",
        "keep": 3,
        "warn": "< 5",
        "seq": 1,
        "at": published.json()["at"],
        "time": 1700000000.5,
        "value": 4,
    }
    assert (health["state"], health["level"]) == ("fresh", "warn")
    assert health["proof"] > 1700000000


@in_thread
def test_streams_have_the_word_and_the_level_of_a_value(serve: Serve) -> None:
    served = serve(
        '[access]\npublish = "loopback"\n'
        '[streams.door]\nwords = { 0 = "shut", true = "open" }\ncritical = "== 0"\n'
    )
    for value, word, level in (
        ("0", "shut", "critical"),
        ("true", "open", "ok"),
        ("1", None, "ok"),
    ):
        served.post("door", json.loads(value))
        for door in (
            served.request("GET", "/streams").json()["streams"]["door"],
            served.request("GET", "/streams/door").json(),
        ):
            assert (door["value"], door.get("word")) == (json.loads(value), word)
            assert door["health"]["level"] == level
            assert door["words"] == {"0": "shut", "true": "open"}


@in_thread
def test_configured_stream_is_there_before_it_says_anything(serve: Serve) -> None:
    silent = serve(DESCRIBED).request("GET", "/streams").json()["streams"]["silent"]
    assert silent["title"] == "Not a word yet"
    assert silent["seq"] == 0
    assert [silent[key] for key in ("at", "time", "value")] == [None, None, None]


@in_thread
def test_no_streams(served: Served) -> None:
    assert served.request("GET", "/streams").json() == {"at": "0-0", "streams": {}}


# -- GET /streams/NAME -----------------------------------------------------------------------------


@in_thread
def test_one_stream(served: Served) -> None:
    served.post("a", 1)
    served.post("a", 2)
    answer = served.request("GET", "/streams/a").json()
    assert (answer["name"], answer["seq"], answer["value"]) == ("a", 2, 2)
    assert "history" not in answer
    everything = served.request("GET", "/streams").json()["streams"]["a"]
    assert {"name": "a", **everything} == answer


@in_thread
def test_history_is_oldest_first_and_as_long_as_asked(serve: Serve) -> None:
    served = serve(DESCRIBED)
    for value in range(5):
        served.post("orders", value)
    every = served.request("GET", "/streams/orders?history=100").json()["history"]
    assert [(point["seq"], point["value"]) for point in every] == [(3, 2), (4, 3), (5, 4)]
    assert set(every[0]) == {"seq", "at", "time", "value"}
    two = served.request("GET", "/streams/orders?history=2").json()["history"]
    assert two == every[1:]


@in_thread
def test_history_of_a_silent_stream(serve: Serve) -> None:
    answer = serve(DESCRIBED).request("GET", "/streams/silent?history=9").json()
    assert (answer["seq"], answer["history"]) == (0, [])


@in_thread
def test_long_history(served: Served) -> None:
    for _ in range(100):
        served.post("a", "x" * 5000)
    answer = served.request("GET", "/streams/a?history=100").json()
    assert [point["seq"] for point in answer["history"]] == list(range(1, 101))


@pytest.mark.parametrize(
    "history", ["0", "-1", "x", "", "1.5", "1e3", "9" * 5000, "%D9%A3", "%C2%B2", "1%00"]
)
@in_thread
def test_bad_history(served: Served, history: str) -> None:
    served.post("a", 1)
    answer = served.request("GET", f"/streams/a?history={history}")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "bad-history")


@pytest.mark.parametrize("name", ["nothing", "-", "a" * 200, "%3Cscript%3E", "%22", "%F0%9F%99%82"])
@in_thread
def test_unknown_stream(served: Served, name: str) -> None:
    answer = served.request("GET", f"/streams/{name}")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "unknown-stream")


@in_thread
def test_forgotten_stream_is_unknown(served: Served) -> None:
    served.post("a", 1)
    assert served.request("DELETE", "/streams/a").status == 204
    assert served.request("GET", "/streams/a").status == 404
    assert served.request("GET", "/streams").json()["streams"] == {}
    assert served.state() == {}


# -- GET /streams/NAME?points= ---------------------------------------------------------------------


def fill(served: Served, count: int) -> None:
    for value in range(count):
        served.post("a", value)


@in_thread
def test_long_history_in_few_points(served: Served) -> None:
    fill(served, 60)
    whole = served.request("GET", "/streams/a?history=60").json()
    assert "thinned" not in whole
    for query in ("points=8", "history=&points=8", "history=100&points=8"):
        few = served.request("GET", f"/streams/a?{query}").json()
        assert few.pop("thinned") is True
        history = few.pop("history")
        assert len(history) <= 8
        assert [history[0], history[-1]] == [whole["history"][0], whole["history"][-1]]
        assert all(point in whole["history"] for point in history)
        assert few == {key: value for key, value in whole.items() if key != "history"}


@in_thread
def test_points_of_the_newest_alone(served: Served) -> None:
    fill(served, 40)
    history = served.request("GET", "/streams/a?history=20&points=4").json()["history"]
    assert [history[0]["seq"], history[-1]["seq"]] == [21, 40]


@in_thread
def test_history_that_has_no_more_points(served: Served) -> None:
    fill(served, 10)
    answer = served.request("GET", "/streams/a?points=10").json()
    assert "thinned" not in answer
    assert answer == served.request("GET", "/streams/a?history=10").json()


@pytest.mark.parametrize("points", ["", "0", "1", "5001", "x", "-5", "1.5", "%D9%A3%D9%A3"])
@in_thread
def test_bad_points(served: Served, points: str) -> None:
    served.post("a", 1)
    answer = served.request("GET", f"/streams/a?points={points}")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "bad-points")
