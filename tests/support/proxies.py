"""Real proxies in front of a daemon, with the configurations of docs/proxies, and clients for them."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any, Literal, NamedTuple

from playwright.sync_api import Browser

from tests.support.browser import CHROMIUM_ARGUMENTS
from tests.support.certificate import make_chain
from tests.support.daemon import CHECKOUT, Daemon, Server
from tests.support.net import Answer, accepts, free_port

Kind = Literal["nginx", "haproxy", "caddy"]
KINDS: tuple[Kind, ...] = ("nginx", "haproxy", "caddy")

TOKEN = "0123456789abcdef" * 2
CONFIG = f"""
[access]
publish = ["{TOKEN}"]
[server]
trusted_proxies = ["127.0.0.1", "unix"]
[streams.orders]
keep = 10
"""

CLIENT = "127.0.0.2"
"""The address of a client behind a proxy: no proxy and no daemon uses it."""

_FILES = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg", "caddy": "Caddyfile"}
_COMMANDS = {
    "nginx": ["nginx", "-e", "stderr", "-p", "{folder}/", "-c", "{file}"],
    "haproxy": ["haproxy", "-db", "-f", "{file}"],
    "caddy": ["caddy", "run", "--config", "{file}", "--adapter", "caddyfile"],
}
# Caddy would ask for certificates, and listen for its administrators.
_CADDY = """{
	admin off
	auto_https disable_redirects
	default_bind 127.0.0.1
	grace_period 1s
}
"""


class Place(NamedTuple):
    """Where a wall is behind a proxy.

    :ivar port: the port on 127.0.0.1, with TLS.
    :ivar path: ``/`` or ``/wall/``.
    """

    port: int
    path: str

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}{self.path}"


class RealProxy(Server):
    """One proxy, with its walls at `top` and `below` a path, and a `forwarder` of TCP in HAProxy.

    `certificates` is a folder of `make_chain`. `behind` maps the documented addresses of daemons to
    those of this test; `changes` are further replacements, which plant a fault.
    """

    def __init__(
        self,
        kind: Kind,
        folder: Path,
        certificates: Path,
        behind: Mapping[str, str],
        changes: Mapping[str, str] | None = None,
    ) -> None:
        program = shutil.which(kind, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        assert program, f"no {kind} here: run tests/install-servers"
        folder.mkdir(exist_ok=True)
        text = (CHECKOUT / "docs" / "proxies" / _FILES[kind]).read_text()
        ports = {documented: free_port() for documented in (8080, 8443, 8444, 8445)}
        for old, new in {**(changes or {}), **behind}.items():
            assert old in text, old
            text = text.replace(old, new)
        for documented, port in ports.items():
            text = re.sub(rf"(listen|bind) :?{documented}\b", rf"\1 127.0.0.1:{port}", text)
        text = text.replace("/etc/ssl/streamd", str(certificates))
        if kind == "caddy":
            tls = f"tls {certificates}/fullchain.pem {certificates}/key.pem"
            for name, documented in (("wall", 8443), ("office", 8444)):
                here = f"https://localhost:{ports[documented]} {{\n\t{tls}"
                text = re.sub(rf"^{name}\.example\.org {{", here, text, flags=re.MULTILINE)
            text = _CADDY + text
        file = folder / _FILES[kind]
        file.write_text(text)
        command = [w.format(folder=folder, file=file) for w in _COMMANDS[kind]]
        folders = {name: str(folder) for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        super().__init__([program, *command[1:]], ports[8443], folder, env=folders)
        self.plain = ports[8080]
        self.top, self.below = Place(ports[8443], "/"), Place(ports[8444], "/wall/")
        self.forwarder = Place(ports[8445], "/")

    def serves(self) -> bool:
        return accepts(self.top.port) and accepts(self.below.port)


class Behind:
    """A daemon on a port, a unix socket and a port for the PROXY protocol, and certificates."""

    def __init__(self, stack: ExitStack, folder: Path, config: str) -> None:
        self.folder = folder
        self.proxies: list[RealProxy] = []
        self._stack = stack
        make_chain(folder)
        self.context = trusting(folder)
        told = free_port()
        more = ["--port", f"unix:{folder}/socket", "--port"]
        more.append(f"haproxy:tcp:{told}:interface=127.0.0.1")
        self.daemon = Daemon(folder, *more, config=config)
        self.ports = {"127.0.0.1:5001": f"127.0.0.1:{told}"}
        self._run(self.daemon)

    def _run(self, server: Daemon | RealProxy) -> None:
        self._stack.callback(server.finish)
        server.start()

    def proxy(
        self, kind: Kind, unix: bool = False, changes: Mapping[str, str] | None = None
    ) -> RealProxy:
        """Starts a proxy; with `unix` it reaches the daemon by its socket."""
        address = f"127.0.0.1:{self.daemon.port}"
        behind = {"127.0.0.1:5000": address}
        if unix:
            behind = {"http://127.0.0.1:5000": f"http://unix:{self.folder}/socket:"}
        if kind == "haproxy":
            behind |= self.ports
        if kind == "nginx" and unix:
            # The first server has no path after the socket.
            behind = {"http://127.0.0.1:5000;": f"http://unix:{self.folder}/socket;", **behind}
        made = RealProxy(
            kind, self.folder / f"{kind}-{len(self.proxies)}", self.folder, behind, changes
        )
        self._run(made)
        self.proxies.append(made)
        return made


@contextmanager
def behind_proxies(config: str = CONFIG) -> Iterator[Behind]:
    """Starts the daemon; ends it and all proxies afterwards."""
    with ExitStack() as stack:
        # Everybody may enter: a proxy that root starts changes its user.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamd-proxies-")))
        folder.chmod(0o755)
        yield Behind(stack, folder, config)


def trusting(certificates: Path) -> ssl.SSLContext:
    """A TLS context for clients that know the root of `make_chain`."""
    return ssl.create_default_context(cafile=certificates / "root.pem")


def ask(
    place: Place,
    context: ssl.SSLContext,
    method: str,
    path: str,
    body: object = None,
    **headers: str,
) -> Answer:
    """One request of the client `CLIENT`; an underscore in a header's name stands for a hyphen."""
    connection = HTTPSConnection(
        "localhost", place.port, timeout=40, context=context, source_address=(CLIENT, 0)
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, place.path + path, data, named)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def tls_socket(place: Place, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A connection of the client `CLIENT`, for clients that take a socket."""
    plain = socket.create_connection(("127.0.0.1", place.port), 40, (CLIENT, 0))
    return context.wrap_socket(plain, server_hostname="localhost")


def unconcerned(browser: Browser) -> Browser:
    """Another Chromium, which takes every certificate, also for service workers. To be closed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    arguments: list[Any] = [*CHROMIUM_ARGUMENTS, "--ignore-certificate-errors"]
    return browser.browser_type.launch(executable_path=found, args=arguments)
