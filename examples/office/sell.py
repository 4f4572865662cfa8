"""Keeps selling: a row in orders(id, product, amount, created) of shop.db now and then."""

import os
import random
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

PRICES = {"Espresso": 2.2, "Tea": 2.8, "Croissant": 1.9, "Sandwich": 4.5, "Lemonade": 3.1}

CREATE = """
CREATE TABLE IF NOT EXISTS orders (
  id INTEGER PRIMARY KEY AUTOINCREMENT, product TEXT, amount REAL, created TEXT
)
"""
INSERT = """
INSERT INTO orders (product, amount, created) VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
"""


def sell(shop: sqlite3.Connection) -> None:
    """One order more."""
    product = random.choice(list(PRICES))
    with shop:
        shop.execute(INSERT, (product, round(PRICES[product] * random.randint(1, 4), 2)))


def main() -> None:
    """Sell until whoever started this is gone."""
    starter = os.getppid()
    with closing(sqlite3.connect(Path(__file__).with_name("shop.db"))) as shop:
        shop.execute(CREATE)
        while os.getppid() == starter:
            sell(shop)
            time.sleep(random.uniform(0.2, 1.5))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
