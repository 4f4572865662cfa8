"""`streamd mute`, as docs/alerts.rst has it."""

from __future__ import annotations

from pathlib import Path

from tests.app.cli.test_alert import CONFIG, TOKEN
from tests.support.daemon import StartDaemon
from tests.support.net import wait_until
from tests.support.shell import complaint, run


def test_mute(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon(config=f'{CONFIG}to = ["http://127.0.0.1:1/"]')
    at = {"STREAMD_URL": daemon.url, "STREAMD_TOKEN": TOKEN}

    def text() -> str:
        said: str = daemon.request("GET", "/state").json().get("alerts.shop", "")
        return said

    done = run("mute", "shop", "--for", "2h", folder=tmp_path, **at)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("shop is muted until 2")
    wait_until(lambda: text().startswith("quiet, muted until "), 40)
    done = run("mute", "shop", "--off", folder=tmp_path, **at)
    assert done.stdout == "shop is not muted\n"
    wait_until(lambda: text() == "quiet", 40)
    [line] = complaint("mute", "shop", "--for", "soon", folder=tmp_path, **at)
    assert "for: expected a duration" in line
    assert run("mute", "shop", folder=tmp_path, **at).returncode == 2
