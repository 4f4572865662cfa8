"""`streamd pair`, as docs/access.rst has it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.app.cli.test_link import TOKEN
from tests.support.daemon import StartDaemon
from tests.support.shell import complaint, run

CONFIG = f"""
[access]
view = []
admin = ["{TOKEN}"]
[[walls]]
name = "kitchen"
"""
DEVICE = json.dumps({"device": "d" * 43})


def test_pair(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon(config=CONFIG)
    at = {"STREAMD_URL": daemon.url, "STREAMD_TOKEN": TOKEN}
    code = daemon.request("POST", "/pairing", DEVICE).json()["code"]
    words = ("--name", "kitchen-tv", "--wall", "kitchen")
    [line] = complaint("pair", "BBBBBB", *words, folder=tmp_path, **at)
    assert "no screen shows this code" in line
    done = run("pair", code, *words, folder=tmp_path, **at)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "kitchen-tv at 127.0.0.1 may read the wall kitchen\n"
    assert daemon.request("POST", "/pairing", DEVICE).json()["state"] == "paired"
    assert "d" * 43 not in daemon.log()
    assert run("pair", code, folder=tmp_path, **at).returncode == 2


def test_screens_that_ask_in_vain_do_not_fill_the_log(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(config="[access]\nview = []\n")
    for _ in range(3):
        assert daemon.request("POST", "/pairing", DEVICE).status == 403
    assert daemon.log().count("nobody can let screens in") == 1
