"""A kind of source from another package: installed by pip, and found by its entry point."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.daemon import CHECKOUT, StartDaemon
from tests.support.net import wait_until
from tests.support.streams import Streams


def test_installed_and_used(tmp_path: Path, start_daemon: StartDaemon) -> None:
    # A copy: a build leaves things behind.
    package = shutil.copytree(CHECKOUT / "examples" / "die", tmp_path / "die")
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
    subprocess.run([*pip, *offline, "--target", site, package], check=True, env=environment)

    config = "[sources.luck]\ndie = 6\nevery = '100ms'\n"
    streams = Streams(start_daemon(config=config, env={"PYTHONPATH": str(site)}))
    wait_until(lambda: streams.value("luck.eyes") in range(1, 7))
    assert streams.health("luck.eyes") == ("fresh", None)
