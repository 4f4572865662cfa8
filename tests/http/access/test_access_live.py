"""Who publishes without a token through real ports and real proxies, and who does not."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.daemon import StartDaemon
from tests.support.net import Answer, request, wait_until
from tests.support.nginx import StartNginx
from tests.support.proxy import Proxy
from tests.support.served import QUIET, Serve, Served, Wire, frame, handshake, head, in_thread

PUBLIC = {"Host": "wall.example"}
NAMED = QUIET + '\n[server]\nhosts = ["wall.example"]\n'

# How nginx may be configured, and by what it is recognised.
HTTP_1_1 = "proxy_http_version 1.1;"
DIRECTIVES = {
    "": "through no proxy",  # HTTP/1.0
    f"{HTTP_1_1} proxy_set_header X-Forwarded-For $remote_addr;": "through no proxy",
    f"{HTTP_1_1} proxy_set_header X-Real-IP $remote_addr;": "through no proxy",
    f"{HTTP_1_1} proxy_set_header Host $host;": "as localhost",
    # The one that is not: Host is the address of proxy_pass, and no header is added.
    HTTP_1_1: None,
}


def port_of(served: Served, number: int) -> int:
    port: int = served.service.listening[number].getHost().port  # type: ignore[attr-defined]
    return port


def outcome(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["message"] if answer.status >= 400 else ""


@pytest.mark.parametrize("config", [None, NAMED], ids=["no file", "loopback"])
def test_real_nginx_does_not_let_the_world_publish(
    start_daemon: StartDaemon, start_nginx: StartNginx, config: str | None
) -> None:
    daemon = start_daemon(config=config)
    for directives, reason in DIRECTIVES.items():
        nginx = start_nginx(daemon, bare=True, directives=directives)
        status, message = outcome(nginx.request("POST", "/streams/a", "1", PUBLIC))
        if reason is None:
            assert status == 201, "recognised: say so in docs/configuration.rst"
        elif reason == "as localhost" and config is None:
            assert status == 421
        else:
            assert (status, reason in message) == (401, True), message
    assert "a proxy that adds no header looks like such a program" in daemon.log()


def test_tokens_stop_a_silent_proxy(start_daemon: StartDaemon, start_nginx: StartNginx) -> None:
    daemon = start_daemon(config='[access]\npublish = ["0123456789abcdef"]')
    nginx = start_nginx(daemon, bare=True, directives=HTTP_1_1)
    assert nginx.request("POST", "/streams/a", "1").status == 401
    token = {"Authorization": "Bearer 0123456789abcdef"}
    assert nginx.request("POST", "/streams/a", "1", token).status == 201
    assert "looks like such a program" not in daemon.log()


def test_trusted_proxy_with_tls_tells_the_own_origin(
    start_daemon: StartDaemon, start_nginx: StartNginx
) -> None:
    tls = f"{HTTP_1_1} proxy_set_header X-Forwarded-Proto https;"
    token = {"Authorization": "Bearer 0123456789abcdef"}
    config = '[access]\npublish = ["0123456789abcdef"]\n[server]\nhosts = ["wall.example"]\n'
    trusting = start_daemon(config=config + 'trusted_proxies = ["127.0.0.1"]')
    for daemon, key, outcomes in (
        (trusting, "X-Forwarded-Host $host", {"https": 201, "http": 403}),
        (trusting, "Host $host", {"https": 201, "http": 403}),
        (start_daemon(config=config), "Host $host", {"https": 403, "http": 201}),
    ):
        nginx = start_nginx(daemon, bare=True, directives=f"{tls} proxy_set_header {key};")
        for scheme, status in outcomes.items():
            headers = {**PUBLIC, **token, "Origin": f"{scheme}://wall.example"}
            assert nginx.request("POST", "/streams/a", "1", headers).status == status
        evil = {"Host": "evil.example", "Origin": "https://evil.example", **token}
        assert nginx.request("POST", "/streams/a", "1", evil).status == 421


@in_thread
def test_forwarder_of_tcp_is_recognised_by_the_public_host_alone(serve: Serve) -> None:
    """As haproxy in TCP mode and socat do: not a byte is added."""
    served = serve(NAMED)
    with closing(Proxy(served.port)) as forwarder:

        def publish(host: str) -> int:
            return request(forwarder.port, "POST", "/streams/a", "1", {"Host": host}).status

        assert [publish("wall.example"), publish("192.0.2.7:8080")] == [401, 401]
        assert publish("localhost") == 201  # it cannot be recognised: the documentation says so


@in_thread
def test_port_that_other_machines_reach_needs_a_token(serve: Serve) -> None:
    served = serve(QUIET, more_ports=["tcp:0"])
    alone, exposed = port_of(served, 0), port_of(served, 1)
    assert request(alone, "POST", "/streams/a", "1").status == 201
    status, message = outcome(request(exposed, "POST", "/streams/a", "1"))
    assert (status, "--port tcp:5000:interface=127.0.0.1" in message) == (401, True)
    demo = serve(None, more_ports=["tcp:0"])
    assert (
        request(port_of(demo, 1), "POST", "/streams/a", "1").status == 201
    )  # as the README's curl


def over_unix(path: Path, *lines: str, host: str = "localhost") -> int:
    with closing(socket.socket(socket.AF_UNIX)) as end:
        end.connect(str(path))
        wire = Wire(end)
        wire.send(head("POST", "/streams/a", "Content-Length: 1", *lines, host=host) + b"1")
        return wire.answer().status


@pytest.mark.parametrize("config", [None, QUIET], ids=["no file", "loopback"])
@pytest.mark.parametrize("told", ["loopback", "unix", "local"])
@in_thread
def test_peer_that_a_proxy_tells_is_never_this_machine(
    serve: Serve, config: str | None, told: str
) -> None:
    served = serve(config, more_ports=["haproxy:tcp:0:interface=127.0.0.1"])
    second = b"\r\n\r\n\0\r\nQUIT\n"  # how a header of version 2 begins
    line = {
        "loopback": f"PROXY TCP4 127.0.0.1 127.0.0.1 1234 {served.port}\r\n".encode(),
        "unix": second + b"\x21\x31" + (216).to_bytes(2, "big") + b"/a".ljust(108, b"\0") * 2,
        "local": second + b"\x20\x00\0\0",  # the proxy itself
    }[told]
    with closing(socket.create_connection(("127.0.0.1", port_of(served, 1)))) as end:
        wire = Wire(end)
        wire.send(line + head("POST", "/streams/a", "Content-Length: 1") + b"1")
        status, message = outcome(wire.answer())
    assert (status, "through no proxy" in message) == (401, True)


ADDRESSES = b"PROXY TCP4 192.0.2.7 127.0.0.1 5000 80\r\n"


@pytest.mark.parametrize(
    ("line", "client"),
    [
        (ADDRESSES, "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::1 ::1 5000 80\r\n", "2001:db8::1"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (b"PROXY UNKNOWN a b c d\r\n", "127.0.0.1"),
        (ADDRESSES.replace(b"192.0.2.7", b"junk"), None),
        (ADDRESSES.replace(b"192.0.2.7", b"\xff"), None),
        (ADDRESSES.replace(b"192.0.2.7", b"192.0.2.7:80"), None),
        (ADDRESSES.replace(b"5000", b"x"), None),
        (ADDRESSES.replace(b"5000", b"9" * 5000), None),
        (ADDRESSES.replace(b"127.0.0.1", b""), None),
        (ADDRESSES.replace(b" 5000 80", b""), None),
        (b"", None),
    ],
)
@in_thread
def test_first_line_of_the_proxy_protocol(serve: Serve, line: bytes, client: str | None) -> None:
    keys = '[server]\ntrusted_proxies = ["unix"]'
    served = serve(keys, more_ports=["haproxy:tcp:0:interface=127.0.0.1"])
    with closing(socket.create_connection(("127.0.0.1", port_of(served, 1)))) as end:
        wire = Wire(end)
        wire.send(line + head("GET", "/reached", "X-Forwarded-For: 203.0.113.9"))
        if client is None:
            assert wire.rest() == b""
        else:
            assert wire.answer().json()["client"] == client


@in_thread
def test_unix_socket_needs_no_token_whatever_the_host(serve: Serve, tmp_path: Path) -> None:
    plain, proxied = tmp_path / "plain", tmp_path / "proxied"
    serve(NAMED, more_ports=[f"unix:{plain}"])
    assert over_unix(plain) == 201
    assert over_unix(plain, host="wall.example") == 201
    assert over_unix(plain, "Via: 1.1 proxy") == 401
    assert over_unix(plain, "Origin: http://evil.example") == 403
    served = serve(NAMED + 'trusted_proxies = ["127.0.0.1"]', more_ports=[f"unix:{proxied}"])
    assert over_unix(proxied) == 201
    assert served.request("POST", "/streams/a", "1").status == 401


@in_thread
def test_unix_peers_that_are_trusted_proxies_need_a_token(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    serve(QUIET + '\n[server]\ntrusted_proxies = ["unix"]', more_ports=[f"unix:{path}"])
    assert over_unix(path) == 401


REPORT = b'{"type": "screen", "name": "tv", "wall": "all", "at": "7-0", "delay": 0}'


@pytest.mark.parametrize(
    ("origin", "admitted"),
    [
        (lambda port: f"http://127.0.0.1:{port}", True),
        (lambda port: f"https://127.0.0.1:{port}", True),  # behind a proxy with TLS
        (lambda port: "https://writes.example", True),
        (lambda port: "https://reads.example", False),
    ],
)
@in_thread
def test_pages_that_only_read_do_not_report_as_screens(
    serve: Serve, origin: Callable[[int], str], admitted: bool
) -> None:
    keys = 'origins = ["https://reads.example"]\npublish_origins = ["https://writes.example"]'
    served: Served = serve(f"{QUIET}\n[server]\n{keys}")
    lines = (f"Origin: {origin(served.port)}", "Sec-WebSocket-Protocol: streamd.v1")
    wire = served.wire(handshake("/ws", *lines, host=f"127.0.0.1:{served.port}"))
    assert wire.head().startswith("HTTP/1.1 101")
    wire.send(frame(0x81, REPORT))
    screens = lambda: list(served.request("GET", "/screens").json()["screens"])  # noqa: E731
    if admitted:
        wait_until(lambda: screens() == ["tv"])
        return
    while (message := wire.message())["type"] != "error":
        pass
    assert message["code"] == "foreign-origin"
    assert screens() == []


@in_thread
def test_public_address_is_the_own_one_whatever_the_proxy_passes(serve: Serve) -> None:
    token = "0123456789abcdef"
    served = serve(f'{QUIET}\n[server]\nurl = "https://wall.example/floor2/"', tokens=[token])
    assert served.request("GET", "/state", headers=PUBLIC).status == 200
    assert served.request("GET", "/state", headers={"Host": "evil.example"}).status == 421
    own, foreign = "https://wall.example", "https://evil.example"
    sent = {"Authorization": f"Bearer {token}"}
    for origin, status in ((own, 201), (foreign, 403)):
        headers = {**sent, "Origin": origin}
        assert served.request("POST", "/streams/a", "1", headers).status == status
    wire = served.wire(handshake("/ws", f"Origin: {own}", "Sec-WebSocket-Protocol: streamd.v1"))
    assert wire.head().startswith("HTTP/1.1 101")
    # There is a proxy, so a program on this machine may be anybody.
    status, message = outcome(served.request("POST", "/streams/a", "1"))
    assert (status, "url" in message) == (401, True)
