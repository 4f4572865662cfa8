"""A private Prometheus that scrapes what a test measures, or computes it by rules."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

from tests.support.daemon import Server
from tests.support.net import free_port, wait_until

USER, PASSWORD = "admin", "test"
_HASH = "$2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay"


class Target(ThreadingHTTPServer):
    """Says `text` to whoever scrapes it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Metrics)
        self.text = ""
        self.scrapes = 0


class _Metrics(BaseHTTPRequestHandler):
    server: Target

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(self.server.text.encode())
        self.server.scrapes += 1

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Prometheus(Server):
    """Scrapes its target, and computes its rules, every 200 ms."""

    def __init__(
        self,
        folder: Path,
        target: Target,
        protected: bool = False,
        rules: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """:param protected: ask for :data:`USER` and :data:`PASSWORD`.

        :param rules: rules that record. Their series have no gap on a busy machine: after a scrape
            that took longer than 200 ms, the series of the target are gone until the next one.
        """
        port = free_port()
        jobs = [
            {
                "job_name": "shop",
                "static_configs": [{"targets": [f"127.0.0.1:{target.server_port}"]}],
            }
        ]
        often = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "200ms")
        config = {"global": often, "scrape_configs": jobs, "rule_files": ["rules.yml"]}
        (folder / "prometheus.yml").write_text(json.dumps(config))
        groups = [{"name": "rules", "rules": [*rules]}]
        (folder / "rules.yml").write_text(json.dumps({"groups": groups}))
        users = {"basic_auth_users": {USER: _HASH}} if protected else {}
        (folder / "web.yml").write_text(json.dumps(users))
        self.target = target
        command = [
            "prometheus",
            "--config.file=prometheus.yml",
            "--web.config.file=web.yml",
            "--storage.tsdb.path=data",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        super().__init__(command, port, folder)

    def serves(self) -> bool:
        try:
            return self.request("GET", "/-/ready").status in (200, 401)
        except (OSError, HTTPException):
            return False

    def measure(self, *lines: str) -> None:
        """Has the target say these lines, and waits until they were scraped."""
        self.target.text = "".join(f"{line}\n" for line in lines)
        enough = self.target.scrapes + 3
        wait_until(lambda: self.target.scrapes >= enough, what="scrapes")


def write_past(folder: Path, lines: Sequence[str]) -> None:
    """Lets a server know samples of before it starts.

    :param lines: `name{label="value"} number seconds`, the lines of each series in the order of time.
    """
    text = folder / "past.txt"
    text.write_text("\n".join([*lines, "# EOF\n"]))
    command = ["promtool", "tsdb", "create-blocks-from", "--max-block-duration=96h"]
    subprocess.run(
        [*command, "openmetrics", text, folder / "data"], check=True, capture_output=True
    )


class Gate(ThreadingHTTPServer):
    """Stands before a Prometheus: it notes the windows that are asked for, and can hold them.

    :ivar windows: first and last time of each range query, in seconds since the epoch.
    :ivar room: how many range queries it still passes on; later ones wait.
    """

    daemon_threads = True

    def __init__(self, behind: Server) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.behind = behind
        self.windows: list[tuple[float, float]] = []
        self._room = threading.Semaphore(0)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def let(self, number: int) -> None:
        """Passes this many more range queries on."""
        self._room.release(number)

    def note(self, form: dict[str, list[str]]) -> None:
        self.windows.append((float(form["start"][0]), float(form["end"][0])))
        self._room.acquire()


class _Passing(BaseHTTPRequestHandler):
    server: Gate

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("query_range"):
            self.server.note(parse_qs(body.decode()))
        try:
            with urllib.request.urlopen(f"{self.server.behind.url}{self.path}", body) as answer:
                status, said = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, said = error.code, error.read()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def gate_before(server: Server) -> Iterator[Gate]:
    """A gate that runs."""
    gate = Gate(server)
    thread = Thread(target=gate.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield gate
    finally:
        gate.let(10_000)
        gate.shutdown()
        thread.join()
        gate.server_close()


@contextmanager
def prometheus_server(
    folder: Path, protected: bool = False, rules: Sequence[Mapping[str, Any]] = ()
) -> Iterator[Prometheus]:
    """A server that runs, and its target."""
    target = Target()
    thread = Thread(target=target.serve_forever, args=(0.02,))
    thread.start()
    server = Prometheus(folder, target, protected, rules)
    try:
        server.start()
        yield server
        server.finish()
    finally:
        if server.running:
            server.kill()
        target.shutdown()
        thread.join()
        target.server_close()
