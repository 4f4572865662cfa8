"""Proves that the commands in docs/operations.rst do what the page says, under a real systemd.

It runs them as root in a machine of its own (machine.py) with a copy of the checkout: install,
configure, secrets, backup and restore, update, many cores, uninstall.  Ports differ from those of the
page, because the network is that of this machine.  It needs the package index.
"""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from http.client import HTTPException
from pathlib import Path
from textwrap import dedent

from checks.machine import Machine, why_not
from checks.proof import Proof, main
from tests.support.certificate import make_certificate
from tests.support.daemon import CHECKOUT
from tests.support.net import accepts, free_port, request, wait_until
from tests.support.redis import Redis

PAGE = CHECKOUT / "docs/operations.rst"
PLACE = "/srv/streamd"
"""Where the copy of the checkout is in the machine."""

LIVE = "/etc/letsencrypt/live/wall.example.org"
MINUTES = 15 * 60


def blocks(section: str, language: str = "sh") -> list[str]:
    """The shell commands of a section of the page, or its blocks in another language."""
    pattern = rf"^{section}\n-+\n(.*?)(?=^\S[^\n]*\n---|\Z)"
    [text] = re.findall(pattern, PAGE.read_text(), re.M | re.S)
    found = re.findall(rf"^\.\. code-block:: {language}\n\n((?:(?:    .*)?\n)+)", text, re.M)
    return [dedent(block) for block in found]


class Page:
    """Runs the commands of the page."""

    def __init__(
        self, proof: Proof, machine: Machine, changes: Mapping[str, str], env: str
    ) -> None:
        """:param changes: what stands in the page -> what is run instead.

        :param env: a shell command that runs before each block.
        """
        self._proof, self.machine = proof, machine
        self._changes, self._env = changes, env

    def run(self, section: str, only: slice = slice(None)) -> None:
        for block in blocks(section)[only]:
            for written, meant in self._changes.items():
                block = block.replace(written, meant)
            script = f"set -euo pipefail; cd {PLACE}; {self._env}\n{block}"
            done = self.machine.attempt("bash", "-c", script, seconds=MINUTES)
            self._proof.claim(done.returncode == 0, f"{section}: {block.strip()}")
            if done.returncode:
                print(done.stdout, self.machine.run("systemctl", "status", "--no-pager", "streamd"))


def prove(proof: Proof) -> None:
    if reason := why_not():
        proof.figure(f"nothing is proved: {reason}")
        return
    with tempfile.TemporaryDirectory(prefix="streamd-operations-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        _copy_checkout(folder / f"seed{PLACE}")
        (folder / "machine").mkdir()
        redis = Redis(folder)
        redis.start()
        stack.callback(redis.stop)
        machine = stack.enter_context(Machine(folder / "machine", folder / "seed"))
        port, other = free_port(), free_port()
        changes = {
            "make install\n": f"make install PORT=127.0.0.1:{port}\n",
            "PORT=5001": f"PORT=127.0.0.1:{other}",
        }
        page = Page(proof, machine, changes, f"export STREAMD_URL=http://localhost:{port}")
        _prove(proof, page, port, other, redis.port)


def _copy_checkout(place: Path) -> None:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=CHECKOUT, check=True, capture_output=True).stdout
    for name in files.decode().split("\0"):
        if name and (CHECKOUT / name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, place / name)


def _prove(proof: Proof, page: Page, port: int, other: int, redis: int) -> None:
    machine = page.machine
    page.run("Install")
    proof.claim(_answers(port) and _answers(other), "both walls answer")
    page.run("Configure")
    proof.claim(_answers(port), "it answers after a reload")
    page.run("Secrets")
    proof.claim(_orders(port) == 42, f"the published value is there: {_orders(port)}")
    _prove_tls(proof, page)
    page.run("Backup", slice(0, 1))
    machine.run("bash", "-c", f"{_publish(port)} 43")
    proof.claim(_orders(port) == 43, "a later value is there")
    page.run("Backup", slice(1, None))
    proof.claim(_orders(port) == 42, f"the restored log has the value of the copy: {_orders(port)}")
    before = machine.main_pid("streamd.service")
    page.run("Update")
    after = machine.main_pid("streamd.service")
    proof.claim(after not in (0, before), "an update restarts the daemon")
    proof.claim(_orders(port) == 42, "the value is still there")
    text = f'[journal]\nurl = "redis://127.0.0.1:{redis}"\n'
    machine.write("/etc/streamd/streamd.toml", text)
    page.run("Many cores")
    active = machine.run("systemctl", "is-active", "streamd@1.service", "streamd@2.service")
    proof.claim(active.split() == ["active"] * 2 and _answers(port), f"two instances: {active!r}")
    page.run("Uninstall", slice(0, 1))
    left = list(_left(machine))
    proof.claim(left == ["/etc/streamd", "/var/lib/streamd"], f"it leaves {left}")
    page.run("Uninstall", slice(1, None))
    proof.claim(not list(_left(machine)), "and then nothing")


def _prove_tls(proof: Proof, page: Page) -> None:
    """A second port of the socket serves TLS, and a reload takes a renewed certificate."""
    machine, port = page.machine, free_port() if accepts(443) else 443
    folder = "/etc/systemd/system/streamd"
    machine.run("mkdir", "-p", f"{folder}.socket.d", f"{folder}.service.d", LIVE)
    of_socket, of_service = blocks("TLS", "ini")
    of_socket = of_socket.replace("443", f"127.0.0.1:{port}")
    of_service = of_service.replace("ssl:443:", f"ssl:{port}:").replace("INET6", "INET")
    machine.write(f"{folder}.socket.d/tls.conf", of_socket)
    machine.write(f"{folder}.service.d/tls.conf", of_service)
    served: list[bool] = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as made:
            make_certificate(Path(made))
            machine.write(f"{LIVE}/privkey.pem", (Path(made) / "key.pem").read_text())
            certificate = (Path(made) / "cert.pem").read_text()
            machine.write(f"{LIVE}/fullchain.pem", certificate)
        page.run("TLS", slice(0, 1))
        if not served:
            machine.run("systemctl", "daemon-reload")
            page.run("TLS", slice(1, 2))
            began = machine.main_pid("streamd.service")
        page.run("TLS", slice(2, None))
        served.append(_shows(port, certificate))
    same = machine.main_pid("streamd.service") == began
    proof.claim(served == [True, True] and same, f"the new certificates are served: {served}")


def _shows(port: int, certificate: str) -> bool:
    """Whether a port shows a certificate within a while."""

    def is_shown() -> bool:
        with suppress(OSError):
            return ssl.get_server_certificate(("127.0.0.1", port), timeout=10) == certificate
        return False

    with suppress(AssertionError):
        return wait_until(is_shown, 20)
    return False


def _publish(port: int) -> str:
    return (
        f"STREAMD_TOKEN=$(cat /etc/streamd/secrets/publish) STREAMD_URL=http://localhost:{port} "
        "/opt/streamd/bin/streamd publish orders"
    )


def _answers(port: int) -> bool:
    with suppress(AssertionError, OSError, HTTPException):
        wait_until(lambda: request(port, "GET", "/healthz").status == 200, 30)
        return True
    return False


def _orders(port: int) -> object:
    with suppress(OSError, HTTPException):
        return request(port, "GET", "/state").json().get("orders")
    return None


def _left(machine: Machine) -> Iterator[str]:
    for name in ("/opt/streamd", "/etc/streamd", "/var/lib/streamd"):
        if os.path.lexists(f"/proc/{machine.pid}/root{name}"):
            yield name
    found = Path(f"/proc/{machine.pid}/root/etc/systemd/system").glob("streamd*")
    yield from (path.name for path in found if path.is_file())


if __name__ == "__main__":
    main(prove)
