"""What is true of the company at a time: how much it sells, and what its machines measure."""

import math
import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

FILE = Path(__file__).with_name("company.db")
PRODUCTS = {
    "Moka pot": (24, 29),
    "Grinder": (22, 34),
    "Filter papers": (15, 5),
    "Descaler": (11, 8),
    "Milk jug": (8, 19),
    "Beans": (6, 12),
    "Cups": (5, 10),
}
"""The share of each product in all orders, and its price."""
CITIES = ("Berlin", "Graz", "Hamburg", "Köln", "Oslo", "Paris", "Wien", "Zürich")
WEEKDAYS = (0.86, 1, 0.93, 0.9, 0.98, 0.72, 0.6)


def demand(at: float) -> float:
    """The share of the busiest hour's orders at a time: most before noon and in the evening."""
    local = time.localtime(at)
    hour = local.tm_hour + local.tm_min / 60
    noon = 0.9 * math.exp(-(((hour - 10.9) / 2.6) ** 2))
    evening = 0.8 * math.exp(-(((hour - 17) / 2.9) ** 2))
    return (0.1 + noon + evening) * WEEKDAYS[local.tm_wday]


def order(at: float) -> tuple[float, str, str, int]:
    """Return a row of the table ``orders``."""
    [product] = random.choices(list(PRODUCTS), [share for share, _ in PRODUCTS.values()])
    return (at, product, random.choice(CITIES), PRODUCTS[product][1])


def wander(spread: float, memory: float) -> Iterator[float]:
    """Yield random numbers around 0, each near to the one before."""
    value = 0.0
    while True:
        value = memory * value + random.gauss(0, spread)
        yield value


WANDER = [wander(spread, 0.9) for spread in (0.03, 0.03, 0.04, 0.6, 12, 1.5, 1.5, 1, 1.2)]


def reading(at: float, outage: float, queue: float) -> tuple[float, ...]:
    """Return a row of the table ``readings``.

    :param outage: 1 while nobody can pay, otherwise 0.
    :param queue: how many people more than usual wait for the support.
    """
    a, b, c, tickets, parcels, *loads = (next(each) for each in WANDER)
    busy = demand(at)
    p50 = (48 + 40 * busy + 130 * outage) * (1 + a)
    p95 = p50 * (2.2 + b) + 240 * outage
    p99 = p95 * (1.5 + c) + 480 * outage
    usual = zip((25, 22, 12, 36), (32, 31, 26, 44), loads, strict=True)
    machines = (min(99.0, round(base + more * busy + noise)) for base, more, noise in usual)
    waiting = max(0, round(6 + 9 * busy + tickets + queue))
    return (
        at,
        round(p50),
        round(p95),
        round(p99),
        waiting,
        round(420 + 800 * busy + parcels),
        *machines,
    )


def connect() -> sqlite3.Connection:
    """Open the company's database."""
    return sqlite3.connect(FILE, timeout=10)
