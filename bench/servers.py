"""What is measured: streamd, the floor, and others that could do its work; how each is started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import BUILT, HERE, SERVER_CORE, Failed, Load, compiled, pinned
from tests.support.net import accepts, free_port, wait_until

PEERS = HERE / "peers"
OTHERS = BUILT.parent / "bench-venv" / "bin" / "python"
"""The Python of the peers: what they need is no dependency of streamd."""


@dataclass(frozen=True)
class Traffic:
    """What a server is to send.

    :ivar rate: messages a second; 0: none.
    :ivar size: bytes of each.
    :ivar members: streamd alone: streams that each of these messages updates.
    :ivar streams: streamd alone: how many there are.
    """

    rate: float = 30
    size: int = 40
    members: int = 1
    streams: int = 1


@dataclass(frozen=True)
class Server:
    """:ivar command: of the port and the traffic, run in an empty folder.

    :ivar view: how the load's viewers come in.
    :ivar ask: a command that prints its version, and fails where it is not installed.
    """

    name: str
    command: Callable[[int, Traffic, Path], list[str]]
    view: tuple[str, ...] = ()
    ask: tuple[str, ...] = ("true",)

    def version(self) -> str:
        """What is measured.

        :raises Failed: if it is not here.
        """
        try:
            done = subprocess.run(
                self.ask, capture_output=True, text=True, env=_environment(Traffic()), check=True
            )
        except OSError as error:
            raise Failed(f"there is no {Path(self.ask[0]).name}, see bench/install") from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip().splitlines() or ["it says nothing"]
            raise Failed(f"not installed, see bench/install: {said[-1]}") from None
        return done.stdout.strip()


@dataclass(frozen=True)
class Running:
    """A server that listens."""

    server: Server
    pid: int
    port: int
    folder: Path

    def viewers(self, count: int, *options: str) -> Load:
        """So many viewers, all there; see load.c for the options."""
        return Load("view", self.port, "--viewers", str(count), *self.server.view, *options)

    def go(self) -> None:
        """All are there: from now on there is traffic."""
        (self.folder / "go").touch()

    @contextmanager
    def publishing(self, traffic: Traffic) -> Iterator[Load | None]:
        """Whoever publishes to nchan, which makes no messages itself; None for all others."""
        if self.server.name != "nchan" or not traffic.rate:
            yield None
            return
        wish = ("--path", "/pub", "--rate", f"{traffic.rate:g}", "--size", str(traffic.size))
        with Load("publish", self.port, "--viewers", "4", *wish) as publisher:
            publisher.mark()
            yield publisher


@contextmanager
def running(server: Server, traffic: Traffic) -> Iterator[Running]:
    """The server on a core of its own, for as long as the block takes.

    :raises Failed: if it does not start.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="streamd-bench-") as name:
        folder = Path(name)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                server.command(port, traffic, folder),
                cwd=folder,
                env=_environment(traffic),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=pinned(SERVER_CORE),
                start_new_session=True,
            )
        try:
            wait_until(lambda: process.poll() is not None or accepts(port), 20, "an open port")
            if process.poll() is not None:
                said = (folder / "log").read_text(errors="replace").strip()
                raise Failed(f"{server.name} does not start: {said[-500:]}")
            yield Running(server, process.pid, port, folder)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _environment(traffic: Traffic) -> dict[str, str]:
    told = {"RUNS": f"{traffic.rate:g}", "MEMBERS": traffic.members, "SIZE": traffic.size}
    told["STREAMS"] = traffic.streams
    node = f"{BUILT.parent / 'bench-node' / 'node_modules'}:/usr/share/nodejs"
    return {
        **os.environ,
        "NODE_PATH": node,
        **{f"BENCH_{name}": str(value) for name, value in told.items()},
    }


CONFIG = """
[server]
max_viewers = 12000
address_share = 1
[access]
publish = "loopback"
[sources.t]
call = "streamd_source.values"
"""


def _streamd(port: int, traffic: Traffic, folder: Path) -> list[str]:
    (folder / "streamd.toml").write_text(CONFIG)
    shutil.copy(PEERS / "streamd_source.py", folder)
    twistd = str(Path(sys.executable).with_name("twistd"))
    where = f"tcp:{port}:interface=127.0.0.1:backlog=4096"
    return [twistd, "-n", "--pidfile=", "streamd", "--port", where, "--config", "streamd.toml"]


def _floor(port: int, traffic: Traffic, folder: Path) -> list[str]:
    return [str(compiled("floor")), *_arguments(port, traffic)]


def _nagle(port: int, traffic: Traffic, folder: Path) -> list[str]:
    return [*_floor(port, traffic, folder), "nagle"]


def _arguments(port: int, traffic: Traffic) -> list[str]:
    return [str(port), f"{traffic.rate:g}", str(traffic.size)]


def _script(name: str, python: Path = OTHERS) -> Callable[[int, Traffic, Path], list[str]]:
    def command(port: int, traffic: Traffic, folder: Path) -> list[str]:
        return [str(python), str(PEERS / name), *_arguments(port, traffic)]

    return command


def _node(name: str) -> Callable[[int, Traffic, Path], list[str]]:
    def command(port: int, traffic: Traffic, folder: Path) -> list[str]:
        return ["node", str(PEERS / name), *_arguments(port, traffic)]

    return command


def _nchan(port: int, traffic: Traffic, folder: Path) -> list[str]:
    text = (PEERS / "nchan.conf").read_text()
    text = text.replace("{port}", str(port)).replace("{modules}", str(NGINX_MODULES))
    (folder / "nginx.conf").write_text(f"user root;\n{text}" if os.getuid() == 0 else text)
    return [*NGINX, "-e", "stderr", "-p", f"{folder}/", "-c", str(folder / "nginx.conf")]


OWN = Path(sys.executable)
NGINX = [shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or "nginx"]
NGINX_MODULES = Path("/usr/lib/nginx/modules")
SOCKET_IO = ("--socketio", "--path", "/socket.io/?EIO=4&transport=websocket")
V1 = ("--path", "/ws", "--protocol", "streamd.v1")


def _python(name: str, script: str, *packages: str, view: tuple[str, ...] = ()) -> Server:
    """A peer of the peers' environment."""
    ask = "import importlib.metadata as m, sys; print(*(n + ' ' + m.version(n) for n in sys.argv[1:]))"
    return Server(name, _script(script), view, (str(OTHERS), "-c", ask, *packages))


def _npm(name: str, script: str, view: tuple[str, ...] = ()) -> Server:
    ask = f"require('{name}/package.json').version + ' on Node ' + process.versions.node"
    return Server(name, _node(script), view, ("node", "-p", ask))


TWISTED = ("from autobahn import version as a; from twisted import version as t;"
           "print('Autobahn', a, 'on Twisted', t.public())")  # fmt: skip
OF_DEBIAN = ("dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan")

SERVERS = {
    server.name: server
    for server in (
        Server("floor", _floor),
        Server("floor Nagle", _nagle),
        Server("streamd", _streamd, ("--path", "/ws")),
        Server("streamd v1", _streamd, V1),
        Server("streamd socket.io", _streamd, SOCKET_IO),
        Server("nchan", _nchan, ("--path", "/sub"), OF_DEBIAN),
        _python("picows", "picows_server.py", "picows"),
        _python("websockets", "websockets_server.py", "websockets"),
        _python("aiohttp", "aiohttp_server.py", "aiohttp"),
        _npm("ws", "ws_server.js"),
        _npm("socket.io", "socketio_server.js", SOCKET_IO),
        _python("eventlet", "eventlet_server.py", "eventlet", "Flask-SocketIO", view=SOCKET_IO),
        Server("autobahn", _script("autobahn_idiom.py", OWN), (), (str(OWN), "-c", TWISTED)),
        Server("bare.py", _script("bare_server.py", OWN)),
        Server("Twisted", _script("twisted_post.py", OWN)),
    )
}
