"""What a real little HTTP server says, on every viewer: JSON, and everything that is none."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from streamd.config.extras import needs_extra
from streamd.core.errors import shorten
from tests.support.certificate import make_certificate
from tests.support.net import free_port, wait_until
from tests.support.served import Serve, in_thread
from tests.support.streams import Streams, mistake

Reply = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; its site's `paths` say how it is answered."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        self.server.site.seen.append((self.path, dict(self.headers)))
        self.server.site.paths[self.path](self)

    def say(self, body: bytes | object, status: int = 200, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content_Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 100
    site: Site


class Site:
    """A server: `paths` are its pages, `seen` the requests that came."""

    def __init__(self) -> None:
        self.paths: dict[str, Reply] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.port = free_port()
        self.start()

    def start(self) -> None:
        self._server = Server(("127.0.0.1", self.port), Request)
        self._server.site = self
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.stop()


def table(name: str, url: str, lines: str = 'every = "100ms"') -> str:
    return f'[sources.{name}]\nurl = "{url}"\n{lines}\n'


@in_thread
def test_json_and_pointers(serve: Serve, site: Site) -> None:
    document = {"data": [{"count": 7, "a/b": {"m~n": None}}], "up": True}
    site.paths["/"] = lambda request: request.say(document)
    streams = Streams(
        serve(
            table("all", site.url())
            + table("whole", site.url(), "whole = true")
            + table(
                "parts",
                site.url(),
                'pick = { orders = "/data/0/count", odd = "/data/0/a~1b/m~0n" }',
            )
            + table("one", site.url("/"), 'pick = "/data/0/count"\nevery = "50ms"')
            + table("none", site.url("/"), 'pick = { x = "/data/1", up = "/up" }')
        )
    )
    streams.expect("all.up", True)
    streams.expect("all.data", document["data"])
    streams.expect("whole", document)
    streams.expect("parts.orders", 7)
    streams.expect("parts.odd", None)
    streams.expect("one", 7)
    error = streams.expect_health("none", "failed")
    assert error == "none.x: there is nothing at /data/1"
    assert streams.health("none.up") == ("fresh", None)
    document["data"] = [{"count": 8}]
    streams.expect("one", 8)


@in_thread
def test_what_did_not_change_is_not_sent_again(serve: Serve, site: Site) -> None:
    pages = [(1, '"a"')]

    def reply(request: Request) -> None:
        number, tag = pages[-1]
        if request.headers.get("If-None-Match") == tag:
            request.say(b"", 304, ETag=tag)
        else:
            request.say({"n": number}, ETag=tag)

    site.paths["/"] = reply
    streams = Streams(serve(table("x", site.url())))
    streams.expect("x.n", 1)
    first = streams.all()["x.n"]["health"]["proof"]
    wait_until(lambda: streams.all()["x.n"]["health"]["proof"] > first and len(site.seen) > 2)
    assert [headers.get("If-None-Match") for _, headers in site.seen[:3]] == [None, '"a"', '"a"']
    pages.append((2, '"b"'))
    streams.expect("x.n", 2)
    assert streams.history("x.n") == [1, 2]


@in_thread
def test_headers(serve: Serve, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    site.paths["/"] = lambda request: request.say(request.headers["Authorization"] == "s3cret")
    served = serve(
        table("x", site.url(), 'headers = { Authorization = { env = "TOKEN" }, X-A = "b" }')
    )
    Streams(served).expect("x", True)
    [(_, headers)] = site.seen
    assert (headers["X-A"], headers["Accept"]) == ("b", "application/json")
    assert headers["User-Agent"] == "streamd"


@in_thread
def test_a_configured_user_agent_replaces_our_own(serve: Serve, site: Site) -> None:
    site.paths["/"] = lambda request: request.say(request.headers.get_all("User-Agent"))
    served = serve(table("x", site.url(), 'headers = { user-agent = "wall/1" }'))
    Streams(served).expect("x", ["wall/1"])


def redirect(location: str) -> Reply:
    return lambda request: request.say(b"moved", 302, Location=location)


@in_thread
def test_redirects(serve: Serve, site: Site) -> None:
    """Within the origin; a URL that only looks like another one is of the same origin."""
    site.paths["/here"] = lambda request: request.say({"told": "X-Key" in request.headers})
    for path, location in {
        "/near": "/here",
        "/same": f"HTTP://127.0.0.1:{site.port}/here#part",
        "/twice": "/near",
        "/loop": "/loop",
        "/file": "file:///etc/passwd",
        "/no": "",
        "/broken": "http://[half/",
        "/user": f"http://u:s3cret@127.0.0.1:{site.port}/here",
    }.items():
        site.paths[path] = redirect(location)
    names = ("near", "same", "twice", "loop", "file", "no", "broken", "user")
    text = "".join(table(n, site.url(f"/{n}"), 'headers = { X-Key = "k" }') for n in names)
    streams = Streams(serve(text))
    for name in ("near", "same", "twice"):
        streams.expect(f"{name}.told", True)
    assert streams.expect_health("loop", "failed") == "redirected too often"
    assert streams.expect_health("file", "failed") == "redirected to a URL that is not HTTP"
    assert streams.expect_health("no", "failed") == "redirected without a location"
    error = streams.expect_health("broken", "failed")
    assert error == 'redirected to "http://[half/", which is no URL'
    error = streams.expect_health("user", "failed")
    assert error == "redirected to a URL with a user or a password"
    loops = [path for path, _ in site.seen if path == "/loop"]
    assert len(loops) % 6 == 0


@in_thread
def test_redirects_to_another_origin(serve: Serve, site: Site) -> None:
    """Not followed; with `redirects = true` the other server hears nothing that is not for it."""
    other = Site()
    other.paths["/there"] = lambda request: request.say({"n": 1}, ETag='"secret tag"')
    for path, location in {
        "/port": other.url("/there"),
        "/name": f"http://localhost:{site.port}/x",
        "/tls": f"https://127.0.0.1:{site.port}/x",
    }.items():
        site.paths[path] = redirect(location)
    names = ("port", "name", "tls")
    key = 'headers = { X-Key = "k", Authorization = "Bearer k", Cookie = "k=k" }\n'
    text = "".join(table(n, site.url(f"/{n}"), key) for n in names)
    text += table("status", site.url("/port"), "status = true")
    allowed = table("allowed", site.url("/port"), key + 'redirects = true\nevery = "100ms"')
    streams = Streams(serve(text))
    for name in (*names, "status"):
        error = streams.expect_health(name, "failed")
        assert error == "redirected to another origin; redirects = true follows"
    assert other.seen == []
    streams = Streams(serve(allowed))
    streams.expect("allowed.n", 1)
    wait_until(lambda: len(other.seen) > 2)
    for _, headers in other.seen:
        assert headers.keys() == {"Host", "Connection", "User-Agent", "Accept", "Streamd-Log"}
    other.stop()


@pytest.mark.parametrize("status", ["", "status = true\n"])
@in_thread
def test_streamd_never_reads_itself(serve: Serve, site: Site, status: str) -> None:
    """Whatever its address is called, directly and through a redirect."""
    port = free_port()
    hosts = ("127.0.0.1", "localhost", "127.1", "2130706433", "127.0.0.2", "0.0.0.0", "[::1]")
    text = ""
    for number, host in enumerate(hosts):
        at = f"http://{host}:{port}/state"
        site.paths[f"/{number}"] = redirect(at)
        text += table(f"direct{number}", at, status)
        text += table(f"moved{number}", site.url(f"/{number}"), status + "redirects = true")
    served = serve(text, more_ports=[f"tcp6:{port}:interface=\\:\\:"])
    streams = Streams(served)
    for number in range(len(hosts)):
        for way in ("direct", "moved"):
            error = streams.expect_health(f"{way}{number}", "failed")
            assert error == "the URL leads to streamd itself"
    assert {name for name in streams.all() if "." in name} == set()
    # Another daemon may be read.
    other = serve(table("first", f"http://127.0.0.1:{port}/healthz", status))
    Streams(other).expect_health("first.up" if status else "first.status", "fresh")


@in_thread
def test_a_server_that_asks_for_a_pause_gets_it(serve: Serve, site: Site) -> None:
    asked: list[float] = []

    def answer(request: Request) -> None:
        asked.append(time.monotonic())
        if len(asked) == 1:
            request.say(b"", 429, Retry_After="3")
        else:
            request.say(1)

    site.paths["/"] = answer
    streams = Streams(serve(table("x", site.url())))
    error = streams.expect_health("x", "failed")
    assert error == "the answer was 429 Too Many Requests; the next attempt is in 3 s"
    streams.expect("x", 1)
    assert asked[1] - asked[0] > 2.9


@in_thread
def test_status(serve: Serve, site: Site) -> None:
    site.paths["/good"] = lambda request: request.say(b"<p>", 200)
    site.paths["/bad"] = lambda request: request.say(b"<p>", 503)
    site.paths["/endless"] = endless
    lines = 'status = true\nevery = "100ms"'
    streams = Streams(
        serve(
            table("good", site.url("/good"), lines)
            + table("bad", site.url("/bad"), lines)
            + table("endless", site.url("/endless"), lines)
            + table("gone", f"http://127.0.0.1:{free_port()}/", lines)
        )
    )
    streams.expect("good.up", True)
    streams.expect("good.status", 200)
    assert 0 <= streams.value("good.ms") < 5000
    streams.expect("bad.up", False)
    streams.expect("bad.status", 503)
    streams.expect("endless.up", True)  # no body is read
    streams.expect("gone.up", False)
    streams.expect("gone.status", None)
    assert streams.health("gone.up") == ("fresh", None)


@in_thread
def test_a_compressed_answer(serve: Serve, site: Site) -> None:
    packed = gzip.compress(b'{"n": 7}')
    site.paths["/"] = lambda request: request.say(packed, Content_Encoding="gzip")
    Streams(serve(table("x", site.url()))).expect("x.n", 7)


def drip(request: Request) -> None:
    request.send_response(200)
    request.end_headers()
    with suppress(OSError):
        while True:
            request.wfile.write(b" ")
            time.sleep(0.05)


def endless(request: Request) -> None:
    request.send_response(200)
    request.end_headers()
    with suppress(OSError):
        while True:
            request.wfile.write(b" " * 65536)


@in_thread
def test_invalid_answer(serve: Serve, site: Site) -> None:
    site.paths["/500"] = lambda request: request.say({"n": 1}, 500)
    site.paths["/html"] = lambda request: request.say(b"<p>")
    site.paths["/nan"] = lambda request: request.say(b"NaN")
    site.paths["/deep"] = lambda request: request.say(b"[" * 100_000)
    site.paths["/large"] = lambda request: request.say(b" " * 2**21 + b"1")
    site.paths["/big"] = lambda request: request.say({"n": "x" * 70_000, "m": 1})
    site.paths["/endless"] = endless
    site.paths["/drip"] = drip
    site.paths["/cut"] = lambda request: request.say(b"1", Content_Length="10", Connection="close")
    site.paths["/304"] = lambda request: request.say(b"", 304)
    errors = {
        "500": "the answer was 500 Internal Server Error",
        "html": "the answer is XML, not JSON",
        "nan": "nan: NaN is no JSON number",
        "deep": f"the answer is not JSON: it begins with {shorten('[' * 200)}",
        "large": "the answer is longer than 1 MiB",
        "endless": "the answer is longer than 1 MiB",
        "drip": "no answer within 0.5 s",
        "cut": "the answer ended too early",
        "304": "the answer was 304 Not Modified",
    }
    names = {*errors, "big"} - {"drip"}
    text = "".join(table(n, site.url(f"/{n}"), 'timeout = "20s"') for n in names)
    text += table("drip", site.url("/drip"), 'timeout = "500ms"')
    streams = Streams(serve(text + '[sources.other]\nkind = "random_walk"'))
    for name, error in errors.items():
        assert streams.expect_health(name, "failed") == error
    streams.expect("big.m", 1)
    assert "64 KiB" in (streams.expect_health("big", "failed") or "")
    assert streams.health("other") == ("fresh", None)


@in_thread
def test_a_server_that_goes_and_comes_back(serve: Serve, site: Site) -> None:
    site.paths["/"] = lambda request: request.say(1, Connection="close")
    streams = Streams(serve(table("x", site.url()) + table("y", "http://no-such-host.invalid/")))
    streams.expect("x", 1)
    site.stop()
    # The last connection may have been cut.
    away = ("failed", "the host does not accept connections")
    wait_until(lambda: streams.health("x") == away, what="the end of the site")
    assert streams.expect_health("y", "failed") == "the host is not known"
    site.start()
    streams.expect_health("x", "fresh")


@in_thread
def test_a_server_that_says_nothing(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        streams = Streams(serve(table("x", url, 'timeout = "300ms"')))
        assert streams.expect_health("x", "failed") == "no answer within 0.3 s"


@in_thread
def test_certificates(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    site = Site()
    site.paths["/"] = lambda request: request.say(1)
    site._server.socket = context.wrap_socket(site._server.socket, server_side=True)
    streams = Streams(serve(table("x", f"https://localhost:{site.port}/")))
    assert streams.expect_health("x", "failed") == "the certificate is not trusted"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    Streams(serve(table("y", f"https://localhost:{site.port}/"))).expect("y", 1)
    site.stop()


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            'url = "http://u:s3cret@host/"',
            "sources.x.url: expected a host, and no user or password",
        ),
        ('url = "http://"', "sources.x.url: expected a URL such as"),
        ('url = "http:///path"', "sources.x.url: expected a host"),
        ('url = "http://h/\\n"', "sources.x.url: expected a URL such as"),
        (
            'url = "http://h/"\nheaders = { A = { env = "NO_SUCH" } }',
            "sources.x.headers.A: the environment",
        ),
        (
            'url = "http://h/"\nheaders = { "A B" = "1" }',
            "sources.x.headers.A B: expected a header's name",
        ),
        ('url = "http://h:99999/"', "sources.x.url: expected a port from 1 to 65535"),
        (f'url = "http://h:{"9" * 5000}/"', "sources.x.url: expected a port from 1 to 65535"),
        ('url = "http://h/"\nevery = "0s"', "sources.x.every: expected a duration longer than 0"),
        (
            'url = "http://h/"\npick = "/a"\nstatus = true',
            "sources.x.pick: with status = true no answer is read",
        ),
        ('url = "http://h/"\npick = "a"', "sources.x.pick: expected a JSON pointer"),
    ],
)
def test_mistakes(lines: str, problem: str) -> None:
    line = mistake(f"[sources.x]\n{lines}")
    assert line.startswith(problem)
    assert "s3cret" not in line


def test_a_driver_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "OpenSSL", None)
    wanted = f"sources.x.url: {needs_extra('HTTPS', 'pyOpenSSL', 'http')}"
    assert mistake(table("x", "https://example.org/")) == wanted
