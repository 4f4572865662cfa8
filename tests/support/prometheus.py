"""A private Prometheus that scrapes what a test measures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

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
    """Scrapes its target every 200 ms."""

    def __init__(self, folder: Path, target: Target, protected: bool = False) -> None:
        """:param protected: ask for :data:`USER` and :data:`PASSWORD`."""
        port = free_port()
        jobs = [
            {
                "job_name": "shop",
                "static_configs": [{"targets": [f"127.0.0.1:{target.server_port}"]}],
            }
        ]
        config = {"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"}}
        (folder / "prometheus.yml").write_text(json.dumps({**config, "scrape_configs": jobs}))
        users = {"basic_auth_users": {USER: _HASH}} if protected else {}
        (folder / "web.yml").write_text(json.dumps(users))
        self.target = target
        command = [
            "prometheus",
            "--config.file=prometheus.yml",
            "--web.config.file=web.yml",
            "--storage.tsdb.path=data",
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


@contextmanager
def prometheus_server(folder: Path, protected: bool = False) -> Iterator[Prometheus]:
    """A server that runs, and its target."""
    target = Target()
    thread = Thread(target=target.serve_forever, args=(0.02,))
    thread.start()
    server = Prometheus(folder, target, protected)
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
