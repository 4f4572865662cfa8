"""The example messages of docs/protocol.rst are what the daemon says and understands."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import fail_source
from tests.support.net import wait_until
from tests.support.served import Served, in_thread

DOC = Path(__file__).resolve().parents[2] / "docs" / "protocol.rst"
_BLOCK = re.compile(r"\.\. code-block:: json\n   :class: (\S+)\n\n((?:    .*\n|\n)+)")

CONFIGURATION = """
[access]
publish = "loopback"
[streams.orders]
title = "Orders"
unit = "/h"
expect = "60s"
warn = "< 20"
keep = 2
rollup = "8d"
[sources.shop]
database = "sqlite:///nowhere.db"
query = "SELECT 1"
"""

ADMIN = {"Authorization": "Bearer s3cret"}
COMMANDS = [
    {"command": "reload"},
    {"command": "identify"},
    {"command": "wall", "wall": "all"},
    {"command": "playlist"},
    {"command": "message", "message": "Fire drill at 3"},
]


def examples(kind: str) -> list[Any]:
    return [json.loads(text) for found, text in _BLOCK.findall(DOC.read_text()) if found == kind]


def likeness(example: Any, said: Any, where: str = "") -> Iterator[str]:
    """In what `said` is not of the example's shape: its keys, and their types.

    The members of an object of streams are compared with any member that was said.
    """
    if isinstance(example, dict) and isinstance(said, dict):
        named = where.endswith((".streams", ".health", ".proof"))
        for key, value in example.items():
            if value is None or (value == "database file missing or not readable"):
                continue
            if named:
                fitting = [s for s in said.values() if not list(likeness(value, s))]
                if not fitting:
                    yield f"{where}.{key}: nothing like {value} in {said}"
            elif key not in said:
                yield f"{where}.{key} was not said in {said}"
            else:
                yield from likeness(value, said[key], f"{where}.{key}")
    elif isinstance(example, list) and isinstance(said, list):
        if example and not said:
            yield f"{where} is empty"
        for number, one in enumerate(example):
            yield from likeness(one, said[min(number, len(said) - 1)], f"{where}[]")
    elif isinstance(example, (int, float)) and not isinstance(example, bool):
        if not isinstance(said, (int, float)):
            yield f"{where}: {said!r} is no number"
    elif type(example) is not type(said):
        yield f"{where}: {said!r} instead of {example!r}"


def post_long_ago(served: Served) -> None:
    """Updates of the stream `orders`, of which raw history keeps the newest two."""
    for ago in (9000, 6000, 3000, 1):
        headers = {"Streamd-Time": str(time.time() - ago)}
        assert served.request("POST", "/streams/orders", b"12", headers).status == 201


def provoke(served: Served) -> list[Any]:
    """One of every message of v1, from a real connection."""
    service = served.service
    with served.connect(subprotocols=["streamd.v1"]) as viewer:
        said = [json.loads(viewer.recv(20)) for _ in range(2)]

        def until(type: str) -> None:
            while True:
                said.append(json.loads(viewer.recv(20)))
                if said[-1]["type"] == type:
                    return

        served.post("new.one", 1)
        until("streams")
        served.request("DELETE", "/streams/new.one")
        until("streams")
        served.run(fail_source, service.state, "orders", "database file missing", 1.0)
        served.run(service.hub.wake)
        until("health")
        served.run(service.state.set_journal, "away", 1.0, "the disk is full")
        served.run(service.hub.wake)
        until("journal")
        trouble = {"file": "streamd.toml", "line": 12, "key": "a.b", "message": "expected"}
        served.run(service.tell_configuration, trouble)
        until("configuration")
        served.post("orders", 43)
        until("updates")
        served.run(service.hub.tick, 1e10)
        until("tick")
        viewer.send("nonsense")
        until("error")
        for example in examples("v1-say"):
            viewer.send(json.dumps(example))
            if example["type"] == "subscribe":
                until("hello")
                until("past")
        wait_until(lambda: "kitchen-tv" in served.request("GET", "/screens").text)
        for command in COMMANDS:
            answer = served.request("POST", "/screens/kitchen-tv", json.dumps(command), ADMIN)
            assert answer.status == 200, answer.text
            until("command")
        served.run(service.viewers.close_all)
        until("bye")
    return said


@in_thread
def test_every_v1_example_is_like_something_that_the_daemon_says(serve: Any) -> None:
    served = serve(CONFIGURATION, admins=["s3cret"])
    post_long_ago(served)
    said = provoke(served)
    for example in examples("v1"):
        same = [message for message in said if message["type"] == example["type"]]
        wrong = [list(likeness(example, message, example["type"])) for message in same]
        assert same, f"the daemon never says {example['type']}"
        assert [] in wrong, (example, wrong)


@in_thread
def test_every_type_that_the_daemon_says_has_an_example(serve: Any) -> None:
    served = serve(CONFIGURATION, admins=["s3cret"])
    post_long_ago(served)
    types = {message["type"] for message in provoke(served)}
    assert types == {example["type"] for example in examples("v1")}


@in_thread
def test_the_plain_and_polled_examples_are_true(served: Served) -> None:
    served.post("variable", 41)
    served.post("orders", 7)
    first, second = examples("plain")
    with served.connect() as viewer:
        assert json.loads(viewer.recv(20)) == first
        served.post("variable", 44)
        assert json.loads(viewer.recv(20)) == second
    at = served.request("GET", "/state").headers["Streamd-Position"]
    served.post("orders", 8)
    answer = served.request("GET", f"/updates?streams=orders&after={at}").json()
    [example] = examples("poll")
    assert not list(likeness(example, answer))


@pytest.mark.parametrize("kind", ["plain", "v1", "v1-say", "poll"])
def test_the_page_has_examples(kind: str) -> None:
    assert examples(kind)
