"""Points in the line protocol of InfluxDB, as Telegraf sends them, become updates."""

from __future__ import annotations

import gzip
import re
from base64 import b64encode

import pytest

from streamd.http.publishing import influx
from tests.http.publishing.test_hooks import reload
from tests.support.daemon import CHECKOUT
from tests.support.net import Answer
from tests.support.served import Serve, Served, in_thread

TOKEN = "a-token-of-16-characters"
V2 = "/api/v2/write?org=any&bucket=any&precision=ns"
HEADERS = {"Authorization": f"Token {TOKEN}", "Content-Type": "text/plain; charset=utf-8"}
TELEGRAF = b"""cpu,cpu=cpu0,host=web-1 usage_idle=98.5,usage_user=1 1763790000000000000
cpu,cpu=cpu1,host=web-1 usage_idle=97.25,usage_user=2 1763790000000000000
mem,host=web-1 used=8123456789i,total=16000000000u 1763790000000000000
system,host=web-1 uptime_format="1 day,  3:04",n_users=2u 1763790000000000000
docker,host=web-1,name=my\\ app running=true 1763790000000000000
"""


def configuration() -> str:
    text = (CHECKOUT / "docs/sources.rst").read_text()
    [block] = re.findall(r"code-block:: toml\n   :class: influx\n\n((?:    .*\n|\n)+)", text)
    return re.sub(r"(?m)^    ", "", str(block))


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAF_TOKEN", TOKEN)


def write(
    served: Served, body: bytes, path: str = V2, headers: dict[str, str] | None = None
) -> Answer:
    return served.request("POST", path, body, HEADERS if headers is None else headers)


@in_thread
def test_batch_of_telegraf(serve: Serve) -> None:
    served = serve(f'[access]\npublish = ["{TOKEN}"]')
    packed = {**HEADERS, "Content-Encoding": "gzip"}
    answer = write(served, gzip.compress(TELEGRAF), headers=packed)
    assert (answer.status, answer.body) == (204, b"")
    assert served.state() == {
        "cpu.cpu0.web-1.usage_idle": 98.5,
        "cpu.cpu0.web-1.usage_user": 1,
        "cpu.cpu1.web-1.usage_idle": 97.25,
        "cpu.cpu1.web-1.usage_user": 2,
        "mem.web-1.used": 8123456789,
        "mem.web-1.total": 16000000000,
        "system.web-1.uptime_format": "1 day,  3:04",
        "system.web-1.n_users": 2,
        "docker.web-1.my_app.running": True,
    }
    about = served.request("GET", "/streams/mem.web-1.used").json()
    assert about["time"] == 1763790000.0


@in_thread
def test_configuration_of_the_documentation(serve: Serve) -> None:
    served = serve(configuration())
    assert write(served, TELEGRAF).status == 204
    assert served.state()["web-1.mem.used"] == 8123456789
    reload(served, configuration().replace("{host}.", "t."))
    assert write(served, b"mem,host=web-1 used=1i").status == 204
    assert served.state()["t.mem.used"] == 1
    reload(served, f'[access]\npublish = ["{TOKEN}"]')
    write(served, b"mem,host=web-1,rack=7 used=2i")
    assert served.state()["mem.web-1.7.used"] == 2


@in_thread
def test_missing_tag_leaves_no_gap(serve: Serve) -> None:
    stream = "{rack}.{measurement}.{x}.{y}.{field}"
    served = serve(f'[access]\npublish = ["{TOKEN}"]\n[influx]\nstream = "{stream}"')
    assert write(served, b"a b=1").status == 204
    assert served.state() == {"a.b": 1}


@in_thread
def test_every_precision(serve: Serve) -> None:
    served = serve(configuration())
    for precision, stamp in (
        ("ns", 10**9),
        ("us", 10**6),
        ("ms", 10**3),
        ("s", 1),
        ("m", 1 / 60),
        ("", 10**9),
    ):
        body = b"m,host=h f=1 %d" % round(1763790000 * stamp)
        assert write(served, body, f"/write?db=x&precision={precision}").status == 204
        assert served.request("GET", "/streams/h.m.f").json()["time"] == pytest.approx(1763790000)
    answer = write(served, b"m f=1", "/write?precision=days")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "bad-precision")


@in_thread
def test_good_points_are_published_and_bad_ones_told(serve: Serve) -> None:
    served = serve(configuration())
    answer = write(served, b"good f=1\nbad\nbad f=x\ngood g=2,h=1e999\nx f=1 -1")
    assert answer.status == 400
    told = answer.json()
    assert told["code"] == "invalid"
    assert told["error"] == told["message"]
    assert re.findall(r"line (\d)", told["message"]) == ["2", "3", "4", "5"]
    assert served.state() == {"good.f": 1}
    many = write(served, b"bad\n" * 100).json()["message"]
    assert many.endswith("; and 95 more")
    assert write(served, b"").status == 204


@pytest.mark.parametrize(
    "line", [b"a f=1\n", b"\n", b"wrong\n", b"a f=1,g=\n", b"a f=1,g=2,h=3 " + b"9" * 20 + b"\n"]
)
@in_thread
def test_lines_are_bounded(serve: Serve, monkeypatch: pytest.MonkeyPatch, line: bytes) -> None:
    served = serve(configuration())
    monkeypatch.setattr(influx, "MAX_VALUES", 1000)
    assert write(served, line * 100).status in (204, 400)
    answer = write(served, line * 1100)
    assert (answer.status, answer.json()["error"]["code"]) == (413, "too-large")


@in_thread
def test_values_are_bounded(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve(configuration())
    monkeypatch.setattr(influx, "MAX_VALUES", 1000)
    assert write(served, b"a f=1,g=2\n" * 600).status == 413
    assert served.state() == {}


@in_thread
def test_bodies(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve(configuration())
    monkeypatch.setattr(influx, "MAX_PLAIN", 1000)
    for body, encoding, status in (
        (b"x", "gzip", 400),
        (gzip.compress(TELEGRAF)[:-9], "gzip", 400),
        (gzip.compress(b"a f=1\n" * 1000), "gzip", 413),
        (gzip.compress(TELEGRAF) + gzip.compress(TELEGRAF), "gzip", 400),
        (b"x", "deflate", 415),
        (b"\xff", "identity", 400),
    ):
        answer = write(served, body, headers={**HEADERS, "Content-Encoding": encoding})
        assert answer.status == status, (body, encoding)
    assert served.state() == {}


@in_thread
def test_every_way_to_send_the_token(serve: Serve) -> None:
    served = serve(configuration())
    basic = b64encode(f"telegraf:{TOKEN}".encode()).decode()
    for headers, query, status in (
        ({"Authorization": f"Token {TOKEN}"}, "", 204),
        ({"Authorization": f"Token telegraf:{TOKEN}"}, "", 204),
        ({"Authorization": f"Bearer {TOKEN}"}, "", 204),
        ({"Authorization": f"Basic {basic}"}, "", 204),
        ({}, f"?u=telegraf&p={TOKEN}", 204),
        ({}, "", 401),
        ({"Authorization": "Token wrong"}, "", 401),
        ({"Authorization": "Basic wrong"}, "", 401),
        ({}, "?u=telegraf&p=wrong", 401),
        ({"Authorization": f"Token {TOKEN}", "Origin": "https://evil.example"}, "", 403),
    ):
        for path in ("/write", "/api/v2/write"):
            assert write(served, b"a f=1", path + query, headers).status == status, (headers, query)


@in_thread
def test_token_of_some_streams(serve: Serve) -> None:
    served = serve(f'[access]\npublish = [{{ token = "{TOKEN}", streams = ["a.*"] }}]')
    answer = write(served, b"a f=1\nb f=1")
    assert answer.status == 400
    assert "line 2, f: publishing" in answer.json()["message"]
    assert served.state() == {"a.f": 1}


@in_thread
def test_program_on_this_machine_needs_no_token(served: Served) -> None:
    assert write(served, b"a f=1", headers={}).status == 204
