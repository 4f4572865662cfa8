"""`streamd screens` and `streamd revoke`, as docs/access.rst has them."""

from __future__ import annotations

import json
from pathlib import Path

from streamd.app.cli.screens import rows, table
from tests.app.cli.test_link import TOKEN
from tests.app.cli.test_pair import CONFIG, DEVICE
from tests.support.daemon import StartDaemon
from tests.support.shell import complaint, run


def test_rows() -> None:
    grants = [
        {"id": "a1", "kind": "screen", "name": "tv", "wall": "hall", "seen": 0.0, "until": 9.0},
        {"id": "b2", "kind": "link", "name": "guest", "wall": "hall", "seen": 0.0, "until": 9.0},
        {"id": "c3", "kind": "screen", "name": "old", "wall": "attic", "seen": 0.0, "until": 9.0},
        {"id": "d4", "kind": "admin", "name": "ann", "wall": "", "seen": 0.0, "until": 9.0},
    ]
    here = {"address": "10.0.0.7", "connected": True, "seen": 5.0}
    known = {"tv": {**here, "wall": "vault"}, "x": {**here, "wall": "all", "connected": False}}
    found = list(rows(grants, known, [{"code": "KXWQRF", "address": "10.0.0.8"}]))
    assert [row[:2] for row in found] == [
        ("tv", "hall"),
        ("guest", "hall"),
        ("old", "attic"),
        ("x", "all"),
        ("KXWQRF", "-"),
    ]
    states = [row[2] for row in found]
    assert states[0] == "connected from 10.0.0.7 shows vault"
    assert states[1].startswith("link b2 until 19")
    assert states[2].startswith("last seen 19")
    assert states[3].endswith(", without a grant")
    assert states[4] == "waits at 10.0.0.8"
    assert list(table([("a", "bcd", "e"), ("fgh", "i", "j")])) == ["a    bcd  e", "fgh  i    j"]
    assert list(table([])) == []


def test_screens(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon(config=CONFIG)
    at = {"STREAMD_URL": daemon.url, "STREAMD_TOKEN": TOKEN}

    def printed(*words: str) -> str:
        done = run(*words, folder=tmp_path, **at)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert printed("screens") == ""
    code = daemon.request("POST", "/pairing", DEVICE).json()["code"]
    assert printed("screens") == f"{code}  -  waits at 127.0.0.1\n"
    printed("pair", code, "--name", "kitchen-tv", "--wall", "kitchen")
    for name in ("visitors", "visitors"):
        printed("link", "--wall", "kitchen", "--for", "1h", "--name", name)
    assert printed("screens", "--rename", "kitchen-tv", "tv2") == "kitchen-tv is called tv2\n"
    assert printed("screens").startswith("tv2       kitchen  last seen 2")
    assert printed("revoke", "tv2") == "the screen tv2 has no grant any more\n"
    assert json.loads(daemon.request("POST", "/pairing", DEVICE).body)["state"] == "waiting"
    [line] = complaint("revoke", "tv2", folder=tmp_path, **at)
    assert line == "there is no grant called tv2; streamd screens lists all"
    [line] = complaint("revoke", "visitors", folder=tmp_path, **at)
    assert "several grants are called visitors; name one by its id: " in line
    printed("revoke", line.rpartition("id: ")[2].partition(" ")[0])
    assert printed("revoke", "visitors") == "the link visitors has no grant any more\n"
