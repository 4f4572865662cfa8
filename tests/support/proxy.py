"""A proxy in front of a daemon that has its own ideas of WebSockets, and a page of another origin."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

_REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """Listens on `port` of 127.0.0.1 and passes everything on, but for WebSockets maybe.

    :ivar upgrades: what becomes of the next handshakes: passed on, answered by 400, or left unanswered.
    :ivar rate: bytes a second to all clients together; None: as fast as they come.
    :ivar lag: seconds by which everything comes later, each way.
    :ivar websockets: how many are open through it now.
    """

    def __init__(
        self,
        behind: int,
        upgrades: Literal["pass", "refuse", "hang"] = "pass",
        is_http: bool = True,
    ) -> None:
        """Without `is_http` it knows nothing of what it passes on."""
        self.upgrades = upgrades
        self.rate: float | None = None
        self.lag = 0.0
        self._line = threading.Lock()
        self.websockets = 0
        self._behind = behind
        self._is_http = is_http
        self._silenced = 0  # how often; a connection that was open then stays silent
        self._is_silent = False
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        _in_thread(self._accept)

    def sever(self) -> None:
        """Ends every connection that is open."""
        with self._lock:
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Passes nothing on, and breaks nothing off, until `thaw`."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Passes on what came meanwhile, and all else."""
        self._flowing.set()

    def silence(self) -> None:
        """Drops all that comes, and breaks nothing off: for ever on the connections that are open now,
        and those that come until `speak`."""
        self._silenced += 1
        self._is_silent = True

    def speak(self) -> None:
        """Passes on what comes on new connections."""
        self._silenced += 1
        self._is_silent = False

    def close(self) -> None:
        """Ends all, and does not listen any more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # which wakes the thread that accepts
        self._listener.close()
        self.sever()
        self.thaw()  # or threads wait for ever

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                _in_thread(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with self._kept(client), contextlib.suppress(OSError):
            head = b""
            while self._is_http and b"\r\n\r\n" not in head:
                data = client.recv(65536)
                if not data:
                    return
                head += data
            is_upgrade = b"\r\nupgrade: websocket\r\n" in head.lower()
            if is_upgrade and self.upgrades == "refuse":
                client.sendall(_REFUSED)
            elif is_upgrade and self.upgrades == "hang":
                while client.recv(65536):
                    pass
            else:
                self._pass_on(client, head, is_upgrade)

    def _pass_on(self, client: socket.socket, head: bytes, is_upgrade: bool) -> None:
        server = socket.create_connection(("127.0.0.1", self._behind))
        with self._kept(server):
            server.sendall(head)
            _in_thread(self._pump, server, client, 1500)
            with self._lock:
                self.websockets += is_upgrade
            try:
                self._pump(client, server)
            finally:
                with self._lock:
                    self.websockets -= is_upgrade

    def _pump(self, source: socket.socket, target: socket.socket, slice_: int = 65536) -> None:
        """Passes on all that comes; the end of one is the end of both."""
        silenced = self._silenced
        with contextlib.suppress(OSError):
            while data := source.recv(slice_ if self.rate else 65536):
                if self._is_silent or silenced != self._silenced:
                    continue
                self._flowing.wait()
                time.sleep(self.lag)
                if self.rate and slice_ != 65536:
                    with self._line:
                        time.sleep(len(data) / self.rate)
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def _kept(self, one: socket.socket) -> Iterator[None]:
        with self._lock:
            self._sockets.add(one)
        try:
            yield
        finally:
            with self._lock:
                self._sockets.discard(one)
            one.close()


@contextlib.contextmanager
def other_origin(folder: Path) -> Iterator[str]:
    """Serves a folder's files as pages of another origin, whose URL is given."""
    serve = partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        _in_thread(server.serve_forever)
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        """Nothing."""


def _in_thread(call: object, *arguments: object) -> None:
    threading.Thread(target=call, args=arguments, daemon=True).start()  # type: ignore[arg-type]
