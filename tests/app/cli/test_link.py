"""`streamd link`, as docs/access.rst has it."""

from __future__ import annotations

from pathlib import Path

from tests.support.daemon import StartDaemon
from tests.support.net import request
from tests.support.shell import complaint, run

TOKEN = "0123456789abcdef"
CONFIG = f"""
[access]
view = []
admin = ["{TOKEN}"]
[log]
access = true
[[walls]]
name = "lobby"
"""


def test_link(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon(config=CONFIG)
    at = {"STREAMD_URL": daemon.url, "STREAMD_TOKEN": TOKEN}
    done = run("link", "--wall", "lobby", "--for", "7d", folder=tmp_path, **at)
    assert done.returncode == 0, done.stderr
    address = done.stdout.strip()
    assert address.startswith(f"{daemon.url}/link?key=")
    assert "may read the wall lobby until 2" in done.stderr
    assert "it works on this machine alone" in done.stderr
    assert request(daemon.port, "GET", address.removeprefix(daemon.url)).status == 303
    secret = address.partition("=")[2]
    assert 'GET "/link" 303' in daemon.log()
    assert secret not in daemon.log()
    named = ("--for", "12h", "--name", "visitors")
    assert run("link", "--wall", "lobby", *named, folder=tmp_path, **at).returncode == 0
    [line] = complaint("link", "--wall", "attic", "--for", "7d", folder=tmp_path, **at)
    assert 'there is no wall "attic"; the walls are lobby' in line
    assert run("link", "--wall", "lobby", folder=tmp_path, **at).returncode == 2
