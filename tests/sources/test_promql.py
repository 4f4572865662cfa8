"""Prometheus on every viewer: labels, numbers that are none, errors, and its bad days."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.net import wait_until
from tests.support.prometheus import PASSWORD, USER, Prometheus, prometheus_server
from tests.support.served import Serve, in_thread
from tests.support.sources_page import pasted
from tests.support.streams import Streams, mistake


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with prometheus_server(tmp_path_factory.mktemp("prometheus")) as server:
        yield server


def table(name: str, server: Prometheus, promql: str, more: str = "") -> str:
    lines = f"promql = '{promql}'\nevery = '200ms'\nexpect = '1m'\n{more}\n"
    return f'[sources.{name}]\nurl = "{server.url}"\n{lines}'


@in_thread
def test_queries(serve: Serve, server: Prometheus) -> None:
    server.measure('orders{shop="north"} 7', 'orders{shop="south 2"} 1.5', "big 9007199254740993")
    streams = Streams(
        serve(
            table("sum", server, "sum(orders)")
            + table("by", server, "orders", 'key = "shop"')
            + table("two", server, "orders", 'key = ["__name__", "shop"]')
            + table("scalar", server, "scalar(sum(orders)) * 2")
            + table("text", server, '"hello"')
            + table("whole", server, "1e3", "timeout = '3500ms'")
        )
    )
    streams.expect("sum", 8.5)
    streams.expect("by.north", 7)
    streams.expect("by.south_2", 1.5)
    streams.expect("two.orders.north", 7)
    streams.expect("scalar", 17)
    streams.expect("text", "hello")
    streams.expect("whole", 1000)
    server.measure('orders{shop="north"} 8')
    streams.expect("by.north", 8)
    streams.expect("by.south_2", None)
    assert "by.south_2" not in streams.all()


@in_thread
def test_numbers_that_are_none_fail_their_streams_alone(serve: Serve, server: Prometheus) -> None:
    lines = 'rate{of="a"} 1', 'rate{of="b"} NaN', 'rate{of="c"} +Inf', 'rate{of="d"} -Inf'
    server.measure(
        *(line.replace("NaN", "2").replace("+Inf", "3").replace("-Inf", "4") for line in lines)
    )
    streams = Streams(serve(table("rate", server, "rate", 'key = "of"')))
    streams.expect("rate.d", 4)
    server.measure(*lines)
    error = streams.expect_health("rate.b", "failed")
    assert error == "the query gives NaN, which is no number: perhaps 0 / 0"
    error = streams.expect_health("rate.c", "failed")
    assert error == "the query gives +Inf: perhaps a division by 0"
    streams.expect_health("rate.d", "failed")
    assert streams.health("rate.a") == ("fresh", None)


@in_thread
def test_what_a_query_may_lack(serve: Serve, server: Prometheus) -> None:
    server.measure('orders{shop="north"} 7', 'orders{shop="south"} 8')
    streams = Streams(
        serve(
            table("wrong", server, "sum(")
            + table("none", server, "nothing")
            + table("many", server, "orders")
            + table("same", server, "orders", 'key = "job"')
            + table("range", server, "orders[1m]")
        )
    )
    error = streams.expect_health("wrong", "failed") or ""
    assert error.startswith("bad_data: ")
    assert "unclosed left parenthesis" in error
    assert streams.expect_health("none", "late") == "the query gives no value"
    assert streams.expect_health("many", "failed") == (
        "the query gives 2 series; key names them by a label"
    )
    assert streams.expect_health("same", "failed") == (
        "two series are shop: name them by more labels"
    )
    assert streams.expect_health("range", "failed") == (
        "the query gives a matrix; expected one value for each series"
    )


@in_thread
def test_the_page_of_sources(serve: Serve, server: Prometheus) -> None:
    text = pasted("prometheus").replace("https://prometheus.example.org", server.url)
    text = text.replace('{ env = "PROMETHEUS_TOKEN" }', '"a-token-of-sixteen"')
    server.measure('http_requests_total{instance="web-1"} 7')
    streams = Streams(serve(text.replace("rate(http_requests_total[5m])", "http_requests_total")))
    streams.expect("up", 1)

    def found() -> set[str]:
        requests = {name for name in streams.all() if name.startswith("requests.")}
        return requests - {"requests.web-1"}  # that one is described, and has no value here

    [instance] = wait_until(found, what="the instance")
    streams.expect(instance, 7)


@in_thread
def test_its_bad_days(serve: Serve, tmp_path: Path) -> None:
    with prometheus_server(tmp_path, protected=True) as server:
        right = f'user = "{USER}"\npassword = "{PASSWORD}"\ntimeout = "2s"'
        streams = Streams(
            serve(
                table("wrong", server, "vector(1)", f'user = "{USER}"\npassword = "no"')
                + table("token", server, "vector(1)", 'token = "no"')
                + table("right", server, "vector(1)", right)
            )
        )
        streams.expect("right", 1)
        assert streams.expect_health("wrong", "failed") == "the answer was 401 Unauthorized"
        assert streams.expect_health("token", "failed") == "the answer was 401 Unauthorized"
        os.kill(server.pid, signal.SIGSTOP)
        try:
            assert streams.expect_health("right", "failed") == "no answer within 2 s"
        finally:
            os.kill(server.pid, signal.SIGCONT)
        streams.expect_health("right", "fresh")
        server.kill()
        error = streams.expect_health("right", "failed")
        assert error in ("the host does not accept connections", "the connection was lost")
        server.start()
        streams.expect_health("right", "fresh")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('promql = " "', 'promql: expected a query such as "sum(up)"'),
        ('promql = "up"\nkey = []', 'key: expected a label such as "instance"'),
        ('promql = "up"\nuser = "a"', "user: expected a user and a password"),
        (
            'promql = "up"\ntoken = "a"\nuser = "b"\npassword = "c"',
            "token: expected a token, or a user with a password",
        ),
    ],
)
def test_mistakes(lines: str, expected: str) -> None:
    assert mistake(f'[sources.a]\nurl = "http://a"\n{lines}') == f"sources.a.{expected}"
