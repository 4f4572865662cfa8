"""`streamd alert test`, as docs/alerts.rst has it."""

from __future__ import annotations

from pathlib import Path

from tests.support.daemon import StartDaemon
from tests.support.receiver import Receiver, receiving
from tests.support.shell import complaint, run

TOKEN = "0123456789abcdef"
CONFIG = f'[access]\nadmin = ["{TOKEN}"]\n[alerts.shop]\nstreams = ["*"]\n'


def test_a_test(start_daemon: StartDaemon, tmp_path: Path) -> None:
    down = Receiver()
    with receiving() as receiver:
        to = 'to = [{ env = "ONE" }, { env = "OTHER" }]'
        env = {"ONE": receiver.url, "OTHER": down.url}
        daemon = start_daemon(config=CONFIG + to, env=env)
        at = {"STREAMD_URL": daemon.url, "STREAMD_TOKEN": TOKEN}
        done = run("alert", "test", "shop", folder=tmp_path, **at)
        assert done.returncode == 1
        assert done.stdout == "alerts.shop.to[0]: delivered\n"
        [line] = done.stderr.splitlines()
        assert line == "streamd: alerts.shop.to[1]: the host does not accept connections"
        assert receiver.kinds() == ["test"]
        down.up()
        done = run("alert", "test", "shop", folder=tmp_path, **at)
        down.down()
        assert (done.returncode, done.stderr) == (0, "")
        [line] = complaint("alert", "test", "other", folder=tmp_path, **at)
        assert 'there is no alert "other"' in line
        [line] = complaint("alert", "test", "shop", folder=tmp_path, STREAMD_URL=daemon.url)
        assert "commanding screens and alerts needs a token" in line
        assert "s3cret" not in daemon.log()
