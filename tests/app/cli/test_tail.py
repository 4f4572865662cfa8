"""`streamd tail`."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from streamd.app.cli.tail import iso_time
from tests.support.daemon import Daemon
from tests.support.net import wait_until
from tests.support.shell import STREAMD, complaint, interrupt, started


def test_tail(daemon: Daemon, tmp_path: Path) -> None:
    daemon.request("POST", "/streams/db.a", "1")
    daemon.request("POST", "/streams/db.a", "2")
    with started("tail", "db.*", "--url", daemon.url, folder=tmp_path) as (process, said):
        wait_until(lambda: said().count("\n") == 1)
        daemon.request("POST", "/streams/other", "1")
        daemon.request("POST", "/streams/db.b", '"é\\n"'.encode())
        wait_until(lambda: said().count("\n") == 2)
        assert interrupt(process) == 0
    first, second = (line.split(" ", 2) for line in said().splitlines())
    assert (first[1:], second[1:]) == (["db.a", "2"], ["db.b", '"é\\n"'])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", first[0])


def test_moments_that_no_calendar_has() -> None:
    assert iso_time(0).startswith("19")
    assert iso_time(1e17) == "1e+17"


def test_tail_json_with_history(daemon: Daemon, tmp_path: Path) -> None:
    for value in ("1", "2", "3"):
        daemon.request("POST", "/streams/a", value)
    words = ("tail", "a", "--json", "--history", "2", "--url", daemon.url)
    with started(*words, folder=tmp_path) as (_, said):
        wait_until(lambda: said().count("\n") == 2)
    updates = [json.loads(line) for line in said().splitlines()]
    assert [(u["stream"], u["seq"], u["value"]) for u in updates] == [("a", 2, 2), ("a", 3, 3)]


def test_tail_ends_with_its_reader(daemon: Daemon) -> None:
    command = f"{STREAMD} tail --url {daemon.url} | head -n 2"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert (done.stdout.count("\n"), done.stderr) == (2, "")


def test_tail_declined(daemon: Daemon, tmp_path: Path) -> None:
    [line] = complaint("tail", "--history", "0", "--url", daemon.url, folder=tmp_path)
    assert "history: expected" in line


def test_tail_does_nothing_to_the_terminal(daemon: Daemon, tmp_path: Path) -> None:
    """Neither do errors of the daemon that quote what was sent; JSON stays JSON."""
    value = "a\x1b]0;title\x07\x9b2J\x7f\u202egnp"
    daemon.request("POST", "/streams/odd", json.dumps(value, ensure_ascii=False).encode())
    for words in (("tail", "odd"), ("tail", "odd", "--json")):
        with started(*words, "--url", daemon.url, folder=tmp_path) as (_, said):
            wait_until(lambda: said().count("\n") == 1)
        assert not set("\x1b\x07\x9b\x7f\u202e") & set(said())
    assert json.loads(said())["value"] == value
    for body in ('{"\x9b\u202e": 1', '{"a": {"\x9b": 1}}'):
        for path in ("/state", "/streams/\x9b", "/screens/x", "/widgets/\x9b"):
            for method in ("POST", "PATCH", "GET"):
                quoted = path.replace("\x9b", "%C2%9B")
                answer = daemon.request(method, quoted, body.encode())
                is_error = answer.status >= 400
                assert not (is_error and set("\x9b\u202e") & set(answer.text)), answer.text
