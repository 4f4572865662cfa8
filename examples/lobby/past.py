"""Makes company.db: a week of orders, and what else a company has when it hangs up its first wall."""

import random
import sys
import time
from collections.abc import Iterator
from contextlib import closing

from company import FILE, connect, demand, order, reading

NOW = time.time()
MINUTE, HOUR, DAY = 60, 3600, 86_400
BAD = "--bad" in sys.argv
OUTAGE = (NOW - 22 * MINUTE, NOW) if BAD else (NOW - 87 * MINUTE, NOW - 61 * MINUTE)
"""The time in which nobody could pay."""

TABLES = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, at REAL, product TEXT, city TEXT, amount);
CREATE TABLE readings (at REAL, p50, p95, p99, queue, parcels, web_1, web_2, db, search);
CREATE TABLE checks (service TEXT, at REAL, state TEXT);
CREATE TABLE deployments (id INTEGER PRIMARY KEY, at REAL, service, version, person, took, result);
CREATE TABLE departures (at REAL, city, carrier, gate, note);
CREATE TABLE rooms (room, who, until);
CREATE TABLE budgets (team, rest);
CREATE INDEX orders_at ON orders (at);
CREATE INDEX readings_at ON readings (at);
CREATE VIEW takings AS SELECT at, amount FROM orders;
"""
SERVICES = (
    "Web shop",
    "Checkout",
    "Payments",
    "Search",
    "Mail",
    "Stock",
    "Shipping",
    "Backup",
    "VPN",
)
TROUBLE = [
    ("Checkout", OUTAGE[0], "slow"),
    ("Payments", OUTAGE[0] + 2 * MINUTE, "down"),
    ("Mail", NOW - 6 * HOUR, None),
    ("Mail", NOW - 5.6 * HOUR, "up"),
    ("Backup", NOW - 9 * HOUR, "slow"),
    ("Backup", NOW - 7.4 * HOUR, "up"),
    ("VPN", NOW - 3.7 * HOUR, "down"),
    ("VPN", NOW - 3.6 * HOUR, "up"),
]
if not BAD:
    TROUBLE += [("Checkout", OUTAGE[1], "up"), ("Payments", OUTAGE[1], "up")]
    TROUBLE += [("Search", NOW - 12 * MINUTE, "slow")]
DEPLOYMENTS = [
    (NOW - 6.5 * HOUR, "VPN", "2.2", "Jonas", 95, "live"),
    (NOW - 5.5 * HOUR, "Mail", "3.3", "Jonas", 70, "live"),
    (NOW - 4.2 * HOUR, "Stock", "12.1", "Mehmet", 331, "live"),
    (NOW - 2.75 * HOUR, "Images", "2.9", "Jonas", 124, "live"),
    (OUTAGE[0], "Checkout", "4.12", "Ana", 200, "live" if BAD else "rolled back"),
]
if not BAD:
    DEPLOYMENTS += [(OUTAGE[1], "Checkout", "4.11", "Ana", 48, "live")]
    DEPLOYMENTS += [(NOW - 14 * MINUTE, "Search", "7.40", "Sofia", 112, "live")]
ROUTES = [
    ("Hamburg", "DHL", "B2"),
    ("Zürich", "Planzer", "A1"),
    ("Wien", "Post", "B1"),
    ("Oslo", "DSV", "C3"),
    ("Mailand", "BRT", "A2"),
    ("Paris", "Geodis", "A3"),
    ("Malmö", "DSV", "C1"),
    ("Madrid", "Seur", "A1"),
]
ROOMS = [
    ("Aquarium", "free", "until 15:30"),
    ("Attic", "Ana", "until 15:00"),
    ("Cellar", "free", "all day"),
    ("Dock", "Jonas", "until 17:45"),
]
BUDGETS = {"Marketing": -12, "Platform": 41, "Warehouse": 8, "Support": -3, "Office": 15}
AD = NOW - 6 * DAY
"""When an advertisement began; before it, there were fewer orders."""
BEFORE = 0.87


def outage(at: float) -> float:
    return float(OUTAGE[0] <= at < OUTAGE[1])


def queue(at: float) -> float:
    """How many people more than usual wait for the support: ever more during an outage."""
    return 1.6 * (at - OUTAGE[0]) / MINUTE if BAD and outage(at) else 0.0


def minutes(days: float) -> Iterator[float]:
    """The minutes of the last days."""
    return (NOW - MINUTE * ago for ago in range(int(days * DAY / MINUTE), 0, -1))


def orders() -> Iterator[tuple[float, str, str, int]]:
    for minute in minutes(8.5):
        usual = 62 if minute > AD else BEFORE * 62
        mean = usual * demand(minute) * (1 - 0.7 * outage(minute))
        for _ in range(max(1, round(random.gauss(mean, 0.2 * mean**0.5)))):
            yield order(minute + MINUTE * random.random())


def departures() -> Iterator[tuple[float, str, str, str, str | None]]:
    first = NOW // (20 * MINUTE) * 20 * MINUTE - 40 * MINUTE
    for number in range(72):
        note = {
            3: time.strftime("▲ %H:%M", time.localtime(first + 85 * MINUTE)),
            5: "■ no driver" if BAD else None,
        }.get(number)
        yield (first + number * 20 * MINUTE, *ROUTES[number % len(ROUTES)], note)


def fill() -> None:
    """Write all tables."""
    with closing(connect()) as company, company:
        company.executescript(TABLES)
        many = company.executemany
        many("INSERT INTO orders (at, product, city, amount) VALUES (?, ?, ?, ?)", sorted(orders()))
        readings = (reading(at, outage(at), queue(at)) for at in minutes(1))
        many(f"INSERT INTO readings VALUES ({', '.join('?' * 10)})", readings)
        many("INSERT INTO checks VALUES (?, ?, 'up')", [(name, NOW - DAY) for name in SERVICES])
        many("INSERT INTO checks VALUES (?, ?, ?)", TROUBLE)
        columns = "at, service, version, person, took, result"
        many(f"INSERT INTO deployments ({columns}) VALUES (?, ?, ?, ?, ?, ?)", DEPLOYMENTS)
        many("INSERT INTO departures VALUES (?, ?, ?, ?, ?)", departures())
        many("INSERT INTO rooms VALUES (?, ?, ?)", ROOMS)
        many("INSERT INTO budgets VALUES (?, ?)", BUDGETS.items())


if __name__ == "__main__":
    FILE.unlink(missing_ok=True)
    fill()
