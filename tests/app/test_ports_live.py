"""The port on other endpoints than TCP: TLS (`ssl:`) and sockets of this machine (`unix:`)."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import repeat
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from websockets.sync.client import unix_connect

from streamd.app import service
from streamd.http.uploads import MAX_BODY
from tests.support.certificate import make_certificate, make_chain
from tests.support.daemon import TWISTD, StartDaemon
from tests.support.net import accepts, free_port, wait_until
from tests.support.served import QUIET, WAIT, Serve, Served, Wire, frame, handshake, head, in_thread


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    make_certificate(folder)
    return folder


def tls_port(certificate: Path, port: int = 0) -> str:
    files = f"privateKey={certificate}/key.pem:certKey={certificate}/cert.pem"
    return f"ssl:{port}:interface=127.0.0.1:{files}"


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate / "cert.pem"))


def wire_within(
    context: ssl.SSLContext, port: int, data: bytes, receive_buffer: int | None = None
) -> Wire:
    """A bare connection within TLS; an end that TLS does not announce is an error.

    No client of threads: ``ssl`` of Python 3.11 hangs once in a thousand times, whatever the server,
    when one thread reads while another writes.
    """
    end = socket.socket()
    if receive_buffer is not None:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    end.settimeout(WAIT)
    end.connect(("127.0.0.1", port))
    wire = Wire(context.wrap_socket(end, server_hostname="localhost", suppress_ragged_eofs=False))
    wire.send(data)
    return wire


class Secured:
    """A service that listens with TLS too, and who trusts its certificate."""

    def __init__(self, served: Served, certificate: Path) -> None:
        self.served = served
        self.context = trusting(certificate)
        self._wires: list[Wire] = []

    @property
    def port(self) -> int:
        port: int = self.served.service.listening[1].getHost().port  # type: ignore[attr-defined]
        return port

    def wire(self, data: bytes, receive_buffer: int | None = None) -> Wire:
        """A bare connection within TLS."""
        self._wires.append(wire := wire_within(self.context, self.port, data, receive_buffer))
        return wire

    def close(self) -> None:
        for wire in self._wires:
            wire.close()


@pytest.fixture
def secured(serve: Serve, certificate: Path) -> Any:
    secured = Secured(serve(more_ports=[tls_port(certificate)]), certificate)
    yield secured
    secured.close()


# -- TLS -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offered", [["h2", "http/1.1"], ["http/1.1"], []])
@in_thread
def test_what_browsers_and_curl_offer(secured: Secured, offered: list[str]) -> None:
    """They hang up when HTTP/2 is offered and nothing is chosen."""
    if offered:
        secured.context.set_alpn_protocols(offered)
    assert secured.wire(head("GET", "/healthz")).answer().json() == {"status": "ok"}
    viewer = secured.wire(handshake())
    assert viewer.head().startswith("HTTP/1.1 101")
    assert viewer.message() == {}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chain")
    make_chain(folder)
    return folder


@pytest.mark.parametrize(
    "files",
    [
        "privateKey={0}/key.pem:certKey={0}/fullchain.pem",
        "privateKey={0}/all.pem",
        "{0}/key.pem:{0}/fullchain.pem",
        "privateKey={0}/key.pem:certKey={0}/cert.pem:extraCertChain={0}/middle.pem",
    ],
    ids=["fullchain", "one file", "by place", "two files"],
)
@in_thread
def test_the_whole_chain_is_sent(serve: Serve, chain: Path, files: str) -> None:
    files = files.format(chain)
    port = f"ssl:0:{files}:interface=127.0.0.1"
    served = serve(more_ports=[port])
    number = served.service.listening[1].getHost().port  # type: ignore[attr-defined]

    words = f"openssl s_client -connect 127.0.0.1:{number} -showcerts -CAfile {chain}/root.pem"
    words += " -verify_hostname localhost -verify_return_error"
    done = subprocess.run(words.split(), input="", capture_output=True, text=True, timeout=WAIT)
    told = done.stdout
    assert done.returncode == 0, told + done.stderr
    assert re.findall(r"^ *\d+ s:CN ?= ?(\w+)", told, re.MULTILINE) == ["localhost", "middle"]
    assert told.count("BEGIN CERTIFICATE") == 2
    assert "Verify return code: 0 (ok)" in told


@in_thread
def test_slow_reader_of_a_large_state(secured: Secured) -> None:
    """Nothing is pushed at it, and it has the newest after what lies in the kernel."""
    for number in range(20):
        secured.served.post(f"s{number}", "x" * 60_000)
    slow = secured.wire(handshake(), receive_buffer=8192)
    assert slow.head().startswith("HTTP/1.1 101")
    [viewer] = wait_until(lambda: list(secured.served.service.viewers.protocols))
    wait_until(lambda: not viewer.ready, what="it to lag")
    for number in range(20):
        secured.served.post(f"s{number}", number)
    held: dict[str, Any] = {}
    read = 0
    while held != {f"s{number}": number for number in range(20)}:
        held |= (message := slow.message())
        read += len(json.dumps(message))
    assert read < 20 * 60_000, "it was told what was no longer true"
    wait_until(lambda: viewer.ready)


@in_thread
def test_value_larger_than_a_message(secured: Secured) -> None:
    secured.served.post("a", "x" * 65_000)
    viewer = secured.wire(handshake("/ws", "Sec-WebSocket-Protocol: streamd.v1"))
    assert viewer.head().startswith("HTTP/1.1 101")
    messages = (viewer.message() for _ in repeat(None))
    values = (m["updates"][0]["value"] for m in messages if m["type"] == "updates")
    assert next(values) == "x" * 65_000
    secured.served.post("a", 1)
    assert next(values) == 1


@in_thread
def test_events_within_tls(secured: Secured) -> None:
    reader = secured.wire(head("GET", "/events"))
    assert reader.head().startswith("HTTP/1.1 200")
    wait_until(lambda: secured.served.service.events.protocols)
    secured.served.post("a", 1)
    lines = iter(reader.line, "")
    assert next(line for line in lines if '"a"' in line) == 'data: {"a":1}\n'


@in_thread
def test_refusal_can_be_read_within_tls(secured: Secured) -> None:
    body = bytes(MAX_BODY + 1)
    wire = secured.wire(head("POST", "/streams/a", f"Content-Length: {len(body)}") + body)
    answer = wire.answer()
    assert (answer.status, answer.json()["error"]["code"]) == (413, "too-large")
    assert wire.rest() == b""
    wire.close()
    wait_until(lambda: not secured.served.service.site.channels)


@in_thread
def test_one_too_many_within_tls(
    serve: Serve, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SPARE_CONNECTIONS", 1)
    config = QUIET + "\n[server]\nmax_viewers = 1"
    secured = Secured(serve(config, more_ports=[tls_port(certificate)]), certificate)
    with closing(secured):
        first = secured.wire(head("GET", "/healthz"))
        assert first.answer().status == 200
        silent = secured.wire(b"")
        displacing = secured.wire(head("GET", "/state"))
        assert displacing.answer().status == 503
        assert displacing.rest() == b""
        with suppress(OSError):  # TLS may tell a reset or an end
            assert silent.rest() == b""
        first.send(head("GET", "/healthz"))
        assert first.answer().status == 200
        assert secured.served.service.site.limits.displaced == 1


def test_sigterm_is_reported_within_tls(start_daemon: StartDaemon, certificate: Path) -> None:
    port = free_port()
    daemon = start_daemon("--port", tls_port(certificate, port))
    wait_until(lambda: accepts(port), what="its other port")
    with ExitStack() as stack:
        context = trusting(certificate)
        polite, mute = (
            [
                stack.enter_context(closing(wire_within(context, port, handshake())))
                for _ in range(3)
            ]
            for _ in range(2)
        )
        for viewer in polite + mute:
            assert viewer.head().startswith("HTTP/1.1 101")
            assert viewer.message() == {"variable": ANY}
        ended = stack.enter_context(ThreadPoolExecutor(1)).submit(daemon.stop)
        for viewer in polite:
            assert viewer.close_code() == 1012
            viewer.send(frame(0x88, struct.pack("!H", 1012)))
            assert viewer.rest() == b""
        assert ended.result() == 0
        assert [viewer.close_code() for viewer in mute] == [1012] * 3


# -- sockets of this machine -----------------------------------------------------------------------


@in_thread
def test_viewers_on_a_socket_of_this_machine(serve: Serve, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    served = serve(more_ports=[f"unix:{path}"])
    with (
        unix_connect(path, "ws://localhost/") as viewer,
        closing(socket.socket(socket.AF_UNIX)) as end,
    ):
        assert viewer.recv(timeout=WAIT) == "{}"
        end.connect(path)
        reader = Wire(end)
        reader.send(head("GET", "/events"))
        assert reader.head().startswith("HTTP/1.1 200")
        served.post("a", 1)
        assert viewer.recv(timeout=WAIT) == '{"a":1}'
        assert next(line for line in iter(reader.line, "") if '"a"' in line) == 'data: {"a":1}\n'
        assert len(served.service.hub) == 2
    wait_until(lambda: len(served.service.hub) == 0, what="both to be forgotten")


@contextmanager
def activated(
    *sockets: socket.socket, folder: Path, ports: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon that gets these sockets as systemd passes them: from descriptor 3 on."""
    command = [str(TWISTD), "-n", "--pidfile=", "streamd", *(f"--port={port}" for port in ports)]

    def arrange() -> None:
        copies = [fcntl.fcntl(end, fcntl.F_DUPFD, 100) for end in sockets]
        for number, copy in enumerate(copies, 3):
            os.dup2(copy, number)
        os.environ["LISTEN_PID"] = str(os.getpid())
        os.execv(TWISTD, command)

    given = {"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": ":".join(["x"] * len(sockets))}
    os.environ.update(given)
    try:
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["never run"],
                preexec_fn=arrange,
                close_fds=False,
                cwd=folder,
                stdout=log,
                stderr=log,
            )
    finally:
        for name in given:
            del os.environ[name]
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def listening(family: socket.AddressFamily, address: Any) -> socket.socket:
    end = socket.socket(family, socket.SOCK_STREAM)
    end.bind(address)
    end.listen(100)
    return end


def state_over(family: socket.AddressFamily, address: Any) -> bytes:
    """The answer to a request that waits until it is answered."""
    with closing(socket.socket(family, socket.SOCK_STREAM)) as end:
        end.settimeout(40)
        end.connect(address)
        end.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: end.recv(65536), b""))


def test_daemon_serves_the_sockets_that_it_inherits(tmp_path: Path) -> None:
    """Each has the family that it was made with; a connection waits while no daemon runs."""
    path = str(tmp_path / "socket")
    with (
        closing(listening(socket.AF_INET, ("127.0.0.1", 0))) as four,
        closing(listening(socket.AF_INET6, ("::1", 0))) as six,
        closing(listening(socket.AF_UNIX, path)) as unix,
    ):
        for _ in range(2):  # the sockets outlive a daemon that is killed
            with activated(four, six, unix, folder=tmp_path):
                for end in (four, six, unix):
                    answer = state_over(end.family, end.getsockname())
                    assert answer.startswith(b"HTTP/1.1 200 ")
        log = (tmp_path / "log").read_text()
        assert f"the wall is at http://localhost:{six.getsockname()[1]}/" in log


def test_tls_port_takes_the_socket_with_its_number(tmp_path: Path, certificate: Path) -> None:
    """A port below 1024 needs no privilege then, and the socket outlives the daemon."""
    with (
        closing(listening(socket.AF_INET, ("127.0.0.1", 0))) as plain,
        closing(listening(socket.AF_INET, ("127.0.0.1", 0))) as secure,
    ):
        ports = ["systemd:domain=INET:index=0", tls_port(certificate, secure.getsockname()[1])]
        for _ in range(2):
            with activated(plain, secure, folder=tmp_path, ports=ports):
                wire = wire_within(
                    trusting(certificate), secure.getsockname()[1], head("GET", "/healthz")
                )
                assert wire.answer().json() == {"status": "ok"}
                wire.close()
                answer = state_over(plain.family, plain.getsockname())
                assert answer.startswith(b"HTTP/1.1 200 ")
