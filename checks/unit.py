"""The service of streamd in a machine of its own, for the proofs under a real systemd.

``install`` makes the files that ``make install`` makes, with a configuration for the proofs.
``STREAMD_SEED=FOLDER`` keeps the installed files for the next run.
"""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread

from checks.crowd import LOOPBACK
from checks.machine import Machine
from checks.proof import Proof
from tests.support.daemon import CHECKOUT
from tests.support.net import request

WATCHDOG = 8.0
"""Seconds for the drop-in of the proof; the unit has 30."""

STUCK = """
import os, re

def depth():
    if os.path.exists("/run/streamd-hang"):
        re.match("(a+)+b", "a" * 60)  # takes years, and never gives the interpreter's lock away
    return 1
"""

CONFIG = """
access.publish = "loopback"
access.admin = [{ credential = "admin" }]

[sources.load]
command = "cut -d ' ' -f 1 /proc/loadavg"
every = "1s"

[sources.stuck]
call = "stuck.depth"
every = "1s"

[sources.demo]
kind = "demo"

[sources.runs]
command = "echo $$; exec sleep 1000000"

[sources.twice]
formula = "2 * stuck"
"""

DROP_IN = f"""
[Service]
WatchdogSec={WATCHDOG:g}
"""


def install(folder: Path, port: int) -> Path:
    """The files that ``make install`` makes, and a configuration for the proof."""
    seed = Path(os.environ.get("STREAMD_SEED", folder / "seed"))
    env = {**os.environ, "DESTDIR": str(seed), "PORT": f"{LOOPBACK}:{port}"}
    if (seed / "opt/streamd/bin/streamd").exists():
        env["ONLY_UNITS"] = "1"
    subprocess.run([CHECKOUT / "systemd/install", "install"], env=env, check=True)
    (seed / "etc/streamd/streamd.toml").write_text(CONFIG)
    (seed / "etc/streamd/stuck.py").write_text(STUCK)
    drop_ins = seed / "etc/systemd/system/streamd.service.d"
    drop_ins.mkdir(exist_ok=True)
    (drop_ins / "proof.conf").write_text(DROP_IN)
    return seed


class Unit:
    """The service in the machine."""

    def __init__(self, machine: Machine, port: int) -> None:
        self.machine, self.port = machine, port

    @property
    def url(self) -> str:
        return f"ws://{LOOPBACK}:{self.port}"

    def answers(self) -> bool:
        with suppress(OSError, HTTPException):
            return request(self.port, "GET", "/healthz", timeout=5).status == 200
        return False

    def systemctl(self, *words: str) -> int:
        return self.machine.attempt("systemctl", *words).returncode

    def pid(self) -> int:
        return self.machine.main_pid("streamd.service")

    def status(self) -> str:
        return self.machine.show("streamd.service", "StatusText")

    def log(self) -> str:
        return self.machine.run(
            "journalctl", "--no-pager", "--output=cat", "--unit=streamd.service"
        )

    def restarts(self) -> int:
        """How often systemd has started the daemon again by itself."""
        return int(self.machine.show("streamd.service", "NRestarts"))

    def configure(self, text: str) -> None:
        self.machine.write("/etc/streamd/streamd.toml", text)

    def health(self, stream: str) -> str:
        """The health of a stream; empty if there is no such stream."""
        with suppress(OSError, HTTPException):
            answer = request(self.port, "GET", f"/streams/{stream}", timeout=5)
            if answer.status == 200:
                return str(answer.json()["health"]["state"])
        return ""


class Knocking:
    """Connects every tenth of a second, and counts the connections that are refused.

    Each connection asks for /healthz, and waits for its answer.
    """

    def __init__(self, port: int) -> None:
        self.refused = 0
        self.tried = 0
        self._port = port
        self._ending = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Knocking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(0.1):
            self.tried += 1
            try:
                socket.create_connection((LOOPBACK, self._port), 60).close()
            except OSError:
                self.refused += 1

    def claim(self, proof: Proof, when: str) -> None:
        proof.claim(self.refused == 0, f"{self.refused} of {self.tried} connections refused {when}")
