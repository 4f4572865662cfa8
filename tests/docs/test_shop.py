"""The shop of docs/sources.rst: its configuration, pasted as it is, on a real PostgreSQL."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

import pytest

from tests.support.daemon import Daemon, StartDaemon
from tests.support.databases import PostgresServer
from tests.support.net import wait_until
from tests.support.streams import Streams, configuration

BERLIN = ZoneInfo("Europe/Berlin")
TOKEN = "a-token-of-the-web-server"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def publish(daemon: Daemon, ago: float, **counters: int) -> None:
    for name, count in counters.items():
        headers = HEADERS | {"Streamd-Time": str(time.time() - ago)}
        answer = daemon.request("POST", f"/streams/web.{name}", str(count), headers)
        assert answer.status == 201, answer.text


@pytest.fixture
def table(postgres: PostgresServer) -> PostgresServer:
    postgres.sql(
        "CREATE TABLE orders (id serial, amount numeric, created timestamptz)",
        "GRANT SELECT ON orders TO shop",
        "ALTER ROLE shop SET timezone = 'Pacific/Kiritimati'",  # where today is another day
    )
    return postgres


def order(table: PostgresServer, created: datetime, amount: float = 2.5) -> None:
    table.sql(f"INSERT INTO orders (amount, created) VALUES ({amount}, '{created.isoformat()}')")


def test_the_shop(table: PostgresServer, start_daemon: StartDaemon) -> None:
    assert len(re.findall(r"\S.*", configuration())) < 25
    now = datetime.now(BERLIN)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    recent = [now - timedelta(hours=hour) for hour in (0, 0, 1, 5)]
    for created in recent:
        order(table, created)
    order(table, midnight - timedelta(seconds=1), 1000)
    env = {"SHOP_DATABASE": table.url, "PUBLISH_TOKEN": TOKEN}
    shop = start_daemon(config=configuration(), env=env)
    streams = Streams(shop)

    streams.expect("today.orders", sum(created >= midnight for created in recent))
    about = streams.all()["today.orders"]
    assert (about["title"], about["compare"], about["rollup"]) == ("Orders today", "7d", "1296000s")
    order(table, datetime.now(BERLIN))
    streams.expect("today.orders", 1 + sum(created >= midnight for created in recent))

    wait_until(lambda: streams.value("hourly.revenue"), what="the revenue of each hour")
    told = [(datetime.fromisoformat(hour), n) for hour, n in streams.value("hourly.revenue")]
    assert told == sorted(told)
    assert {(hour.minute, hour.second) for hour, _ in told} == {(0, 0)}
    assert sum(n for _, n in told) % 1000 in (10, 12.5)  # the newest order may be in it

    publish(shop, 1200, visits=1000, errors=100)
    publish(shop, 1, visits=1500, errors=130)
    streams.expect("errors", 2)
    wait_until(lambda: streams.all()["errors"]["health"]["level"] == "warn")
    reason = ("late", "today.orders is not known for 15m yet")
    wait_until(lambda: streams.health("conversion") == reason)


def test_the_past_of_the_shop(table: PostgresServer, start_daemon: StartDaemon) -> None:
    noon = datetime.now(BERLIN).replace(hour=12, minute=0, second=0) - timedelta(days=7)
    for hours in (0, 1, 2, 24):
        order(table, noon + timedelta(hours=hours))
    env = {"SHOP_DATABASE": table.url, "PUBLISH_TOKEN": TOKEN}
    shop = start_daemon(config=configuration() + configuration("shop-past"), env=env)
    period = f"from={noon.timestamp() - 60:.0f}&to={noon.timestamp() + 25 * 3600:.0f}&points=5000"

    def numbers() -> list[float]:
        answer = shop.request("GET", f"/streams/today.orders?{period}").json()
        return [last for _, _, _, _, last in answer.get("points", [])]

    wait_until(lambda: {1, 2, 3} <= {*numbers()}, what="last week")
    assert [number for number, _ in groupby(numbers())] == [0, 1, 2, 3, 0, 1], "a day begins anew"
