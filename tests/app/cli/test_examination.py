"""What the doctor finds, behind real proxies with one fault each, and by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from twisted.trial.unittest import SynchronousTestCase

from streamd import __version__
from streamd.app.cli.daemon_url import DaemonUrl
from streamd.app.cli.examination import (
    Finding,
    check_certificate,
    check_clock,
    check_events,
    check_server,
    check_version,
    examine,
)
from streamd.app.cli.probe import Reply
from streamd.app.cli.remote_daemon import Declined, RemoteDaemon
from streamd.http.access import proxies
from tests.support.proxies import CLIENT, CONFIG, TOKEN, Behind, Kind, RealProxy, behind_proxies

HOLD = 4.0


class Fault(NamedTuple):
    """A fault of a proxy.

    :ivar changes: what is different in the documented configuration.
    :ivar wrong: the names of the findings that are wrong.
    :ivar line: a line of the cure.
    """

    kind: Kind
    changes: Mapping[str, str]
    wrong: set[str]
    line: str
    below: bool = False


FAULTS = {
    "upgrade": Fault(
        "nginx",
        {"proxy_set_header Upgrade $http_upgrade;": ""},
        {"websocket"},
        proxies.UPGRADE.nginx,
    ),
    "host": Fault(
        "nginx",
        {"proxy_set_header Host $http_host;": ""},
        {"host", "origin", "websocket"},
        proxies.HOST.nginx,
    ),
    "prefix": Fault(
        "nginx",
        {"proxy_pass http://127.0.0.1:5000/;": "proxy_pass http://127.0.0.1:5000;"},
        {"prefix"},
        "location /wall/ { proxy_pass http://127.0.0.1:5000/; }",
        below=True,
    ),
    "buffering": Fault(
        "nginx",
        {"access_log off;": "access_log off; proxy_ignore_headers X-Accel-Buffering;"},
        {"events"},
        proxies.BUFFERING.nginx,
    ),
    "invented address": Fault(
        "nginx",
        {"$proxy_add_x_forwarded_for": "$http_x_forwarded_for"},
        {"client"},
        proxies.FORWARDED_FOR.nginx,
    ),
    "chain": Fault("nginx", {"fullchain.pem": "cert.pem"}, {"certificate"}, proxies.CHAIN.nginx),
    "idle": Fault(
        "haproxy",
        {"client 60s": "client 2s", "server 60s": "server 2s", "tunnel 1h": "tunnel 2s"},
        {"idle"},
        proxies.IDLE.haproxy,
    ),
    "no address": Fault(
        "haproxy", {"  option forwardfor\n": ""}, {"client"}, proxies.FORWARDED_FOR.haproxy
    ),
    "scheme": Fault(
        "haproxy",
        {"  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]\n": ""},
        {"scheme"},
        proxies.FORWARDED_PROTO.haproxy,
    ),
    "sub-path": Fault(
        "haproxy",
        {"  http-request set-header X-Forwarded-Prefix /wall\n": ""},
        {"prefix"},
        "http-request set-header X-Forwarded-Prefix /wall",
        below=True,
    ),
    "upgrade in Caddy": Fault(
        "caddy",
        {"header_up -X-Forwarded-Prefix": "header_up -Upgrade"},
        {"websocket"},
        proxies.UPGRADE.caddy,
    ),
    "nothing": Fault("caddy", {"wall.example": "wall.example"}, set(), "", below=True),
}


@pytest.fixture(scope="module")
def behind() -> Iterator[Behind]:
    with behind_proxies() as here:
        yield here


@pytest.fixture
def trusted(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> Behind:
    """The same, where this process trusts the certificates."""
    monkeypatch.setenv("SSL_CERT_FILE", str(behind.folder / "root.pem"))
    return behind


def examined(
    url: str, token: str = TOKEN, hold: float = HOLD, source: str | None = CLIENT
) -> dict[str, Finding]:
    found = examine(DaemonUrl.parse(url), token, hold, source)
    return {finding.name: finding for finding in found}


def wrong(found: Mapping[str, Finding]) -> dict[str, str]:
    return {name: finding.text for name, finding in found.items() if finding.wrong}


def test_each_planted_fault_is_found_with_its_cure(trusted: Behind) -> None:
    def try_one(fault: Fault, proxy: RealProxy) -> dict[str, Finding]:
        return examined((proxy.below if fault.below else proxy.top).url)

    started = [trusted.proxy(fault.kind, changes=fault.changes) for fault in FAULTS.values()]
    with ThreadPoolExecutor(len(FAULTS)) as pool:
        all_found = list(pool.map(try_one, FAULTS.values(), started))
    for (name, fault), found in zip(FAULTS.items(), all_found, strict=True):
        assert set(wrong(found)) == fault.wrong, (name, wrong(found))
        cures = [line for f in found.values() for line in f.cure or () if f.wrong]
        assert not fault.line or fault.line in cures, (name, cures)
        if name == "chain":
            assert found["token"].text == "not sent, because the certificate is not valid"
        elif name != "prefix":
            assert found["token"].text == "it may publish", name


def test_proxy_that_streamd_does_not_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    config = CONFIG.replace('trusted_proxies = ["127.0.0.1", "unix"]', "")
    with behind_proxies(config) as here:
        monkeypatch.setenv("SSL_CERT_FILE", str(here.folder / "root.pem"))
        for unix, address in ((False, "127.0.0.1"), (True, "unix")):
            found = examined(here.proxy("nginx", unix=unix).top.url, hold=0)
            assert set(wrong(found)) == {"client"}
            assert found["client"].line == f'trusted_proxies = ["{address}"]'
        found = examined(here.daemon.url, hold=0, source=None)
        assert wrong(found) == {}
        assert found["client"].text == "streamd hears the address 127.0.0.1"


def test_tokens_and_a_password(trusted: Behind) -> None:
    (trusted.folder / "users").write_text("ann:{PLAIN}secret\n")
    basic = f'access_log off; auth_basic "wall"; auth_basic_user_file {trusted.folder}/users;'
    proxy = trusted.proxy("nginx", changes={"access_log off;": basic})
    found = examined(proxy.top.url)
    assert "a proxy asks for a password" in found["server"].text
    inside = proxy.top.url.replace("//", "//ann:secret@")
    RemoteDaemon(inside, TOKEN).publish("orders", b"7")
    with pytest.raises(Declined) as declined:
        RemoteDaemon(inside, "a wrong token, a long one").publish("orders", b"8")
    assert "secret" not in str(declined.value)
    found = examined(inside, hold=0)
    assert wrong(found) == {}
    assert found["token"].text == "it may publish"
    assert "secret" not in str(found)
    found = examined(inside, token="a wrong token, a long one", hold=0)
    assert wrong(found) == {"token": "streamd does not know it"}
    assert examined(inside, token="", hold=0)["token"].text.startswith("not tried")


def test_daemon_that_asks_for_a_token_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    view = "viewviewviewviewview"
    with behind_proxies(CONFIG.replace("[access]", f'[access]\nview = ["{view}"]')) as here:
        monkeypatch.setenv("SSL_CERT_FILE", str(here.folder / "root.pem"))
        url = here.proxy("nginx").top.url
        for token, tells, told in (
            ("", "not tried", "not tried: $STREAMD_TOKEN is not set"),
            (TOKEN, "not tried", "it may publish"),
            (view, "", "streamd knows it"),
        ):
            found = examined(url, token, hold=1)
            assert wrong(found) == {}
            for name in ("websocket", "events", "idle"):
                assert found[name].text.startswith("not tried") == bool(tells), (name, token)
            assert found["token"].text == told


class ServerTests(SynchronousTestCase):
    url = DaemonUrl.parse("https://wall.example/floor2")

    def test_the_server_that_answers(self) -> None:
        error = b'{"error": {"code": "%b", "message": "%b"}}'
        unknown = b"this daemon does not know itself as %b; if that name"
        for status, body, headers, name, text, line in (
            (404, error % (b"not-found", b""), {}, "prefix", "does not remove /floor2", ""),
            (
                421,
                error % (b"unknown-host", unknown % b"wall.example"),
                {},
                "host",
                "unknown to streamd",
                'url = "https://wall.example/floor2/"',
            ),
            (
                301,
                b"",
                {"location": "https://other.example/?token=s3cret"},
                "server",
                "it moved to https://other.example/",
                "",
            ),
            (502, b"<html>", {}, "server", "does not reach streamd", ""),
            (200, b"<html>", {}, "server", "not of streamd", ""),
            (200, b"[]", {}, "server", "not of streamd", ""),
            (503, error % (b"busy", b"too much"), {}, "server", "too much", ""),
        ):
            found = check_server(self.url, Reply(status, headers, body))
            self.assertTrue(found.wrong)
            self.assertEqual((name, line), (found.name, found.line))
            self.assertIn(text, found.text)
            self.assertNotIn("s3cret", found.text)

    def test_older_daemon(self) -> None:
        body = b'{"error": {"code": "not-found", "message": ""}}'
        found = check_server(DaemonUrl.parse("http://wall.example"), Reply(404, {}, body))
        self.assertIn("older than this command", found.text)

    def test_certificate_that_ends_soon(self) -> None:
        now = datetime(2030, 1, 1, tzinfo=UTC)
        for days, is_wrong in ((13, True), (15, False)):
            end = (now + timedelta(days=days, hours=1)).strftime("%b %d %H:%M:%S %Y GMT")
            found = check_certificate({"notAfter": end}, now.timestamp())
            self.assertEqual(is_wrong, found.wrong)
            self.assertIn(str(days), found.text)

    def test_clocks(self) -> None:
        for told, is_wrong, side in (
            (104.0, False, "agree"),
            (120.0, True, "20 s ahead of"),
            (80.0, True, "20 s behind"),
        ):
            found = check_clock(told, 99.0, 101.0)
            self.assertEqual(is_wrong, found.wrong)
            self.assertIn(side, found.text)

    def test_versions(self) -> None:
        self.assertFalse(check_version(__version__).wrong)
        self.assertTrue(check_version("0.0.1").wrong)

    def test_events(self) -> None:
        stream = {"content-type": "text/event-stream; charset=utf-8"}
        self.assertFalse(check_events(Reply(200, stream, b"", 0.1, 3.0)).wrong)
        self.assertTrue(check_events(Reply(200, stream, b"", 2.9, 3.0)).wrong)
        self.assertTrue(check_events(Reply(200, {}, b"<p>Hello")).wrong)
