"""A real nginx in front of a daemon, with the first server of docs/proxies/nginx.conf, without TLS."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from typing import Protocol

import pytest

from tests.support.daemon import CHECKOUT, Server, finish_all
from tests.support.net import free_port


class StartNginx(Protocol):
    """Starts nginx in front of a server.

    `bare`: with `proxy_pass` alone, as most people begin, and these directives. `folder`: where the
    server is. `holding`: it lets no WebSocket pass, and holds each answer back until that ends.
    """

    def __call__(
        self,
        behind: Server,
        bare: bool = False,
        folder: str = "/",
        holding: bool = False,
        directives: str = "",
    ) -> Server: ...


@pytest.fixture
def start_nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartNginx]:
    """Starts one in front of a server; only the two ports differ from the documented file."""
    servers: list[Server] = []

    def start(
        behind: Server,
        bare: bool = False,
        folder: str = "/",
        holding: bool = False,
        directives: str = "",
    ) -> Server:
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        assert program, "no nginx here: run tests/install-servers"
        place = tmp_path_factory.mktemp("nginx")
        port = free_port()
        text = (CHECKOUT / "docs" / "proxies" / "nginx.conf").read_text()
        text = re.sub(r"\n  # https://office.*(?=^}$)", "", text, flags=re.DOTALL | re.MULTILINE)
        text = re.sub(r"^ *(ssl_certificate|listen 8443).*\n", "", text, flags=re.MULTILINE)
        for documented, here in (
            ("listen 8080;", f"listen 127.0.0.1:{port}; {directives}"),
            ("127.0.0.1:5000;", f"127.0.0.1:{behind.port};"),
        ):
            assert documented in text
            text = text.replace(documented, here)
        if bare:
            text = re.sub(r"^ *proxy_(http_version|set_header) .*\n", "", text, flags=re.MULTILINE)
        if holding:
            held = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;"
            text = re.sub(r"proxy_set_header (Upgrade|Connection) .*", held, text, count=1)
            text = re.sub(r"proxy_set_header Connection .*", "", text)
        if folder != "/":
            text = text.replace("location / {", f"location {folder} {{")
            text = text.replace(f"127.0.0.1:{behind.port};", f"127.0.0.1:{behind.port}/;", 1)
        (place / "nginx.conf").write_text(text)
        command = [program, "-e", "stderr", "-p", f"{place}/", "-c", str(place / "nginx.conf")]
        server = Server(command, port, place)
        server.start()
        servers.append(server)
        return server

    yield start
    finish_all(servers)
