"""The demo of ``--demo``: a dozen lively streams of an imaginary shop, the same at every start."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

from streamd.config.kind import Kind, Surroundings
from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.limit import Limit
from streamd.sources.polling import Polling
from streamd.sources.settings import SourceSettings

EVERY = 0.5
"""Seconds between two readings of the imaginary shop."""

_PRODUCTS = ("Espresso", "Filter coffee", "Green tea", "Croissant", "Sandwich", "Lemonade")
_NEWS = (
    "Delivery at the back door, please",
    "New grinder on the second floor",
    "Stock-taking on Friday at 17:00",
    "Welcome, Ana and Jonas!",
)

NAME = "shop"
DESCRIPTIONS: Mapping[str, Description] = {
    f"{NAME}.orders": Description(title="Orders", unit="/min", show="chart", warn=Limit("< 20")),
    f"{NAME}.revenue": Description(title="Revenue today", unit="€"),
    f"{NAME}.latency": Description(
        title="Checkout latency",
        unit="ms",
        show="chart",
        warn=Limit("> 250"),
        critical=Limit("> 400"),
    ),
    f"{NAME}.errors": Description(
        title="Error rate", unit="%", warn=Limit("> 1"), critical=Limit("> 3")
    ),
    f"{NAME}.queue": Description(title="Queue depth", warn=Limit("> 80")),
    f"{NAME}.build": Description(title="Build", show="status", critical=Limit("== failed")),
    f"{NAME}.temperature": Description(title="Cold store", unit="°C", warn=Limit("> 6")),
    f"{NAME}.visitors": Description(title="Visitors now"),
    f"{NAME}.cpu": Description(title="Processor", unit="%", warn=Limit("> 85")),
    f"{NAME}.news": Description(title="Notice board"),
    f"{NAME}.top": Description(title="Best sellers", show="list"),
    f"{NAME}.last": Description(title="Last order"),
}


class DemoSettings(SourceSettings, frozen=True):
    """The table ``[sources.NAME]`` with ``kind = "demo"``."""

    every: Duration = Duration(EVERY)


class Shop:
    """Simulates a shop: its numbers vary around means that rise and fall every 90 seconds."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._tick = 0
        self._levels = {"orders": 42.0, "latency": 140.0, "errors": 0.4, "queue": 30.0, "cpu": 45.0}
        self._temperature = 4.0
        self._visitors = 60
        self._revenue = 1200.0
        self._sold = dict.fromkeys(_PRODUCTS, 0)
        self._build = "ok"
        self._news = _NEWS[0]
        self._last = "—"

    def read(self) -> dict[str, Any]:
        """Return the next value of each stream; the streams change at different rates."""
        self._tick += 1
        rush = 1 + 0.4 * math.sin(self._tick * EVERY / 90 * math.tau)
        self._sell(rush)
        self._wander("orders", 42 * rush, 3, every=4)
        self._wander("latency", 140 * rush, 25, every=2)
        self._wander("errors", 0.5 * rush, 0.2, every=6)
        self._wander("queue", 35 * rush, 8, every=2)
        self._wander("cpu", 50 * rush, 6, every=4)
        if self._tick % 10 == 0:
            self._temperature += 0.3 * (4 - self._temperature) + self._rng.gauss(0, 0.3)
        if self._tick % 3 == 0:
            self._visitors = max(3, self._visitors + self._rng.randint(-3, 3))
        if self._tick % 60 == 0:
            self._build = self._rng.choice(("ok", "ok", "running", "failed"))
        if self._tick % 40 == 0:
            self._news = self._rng.choice(_NEWS)
        return self._values()

    def _values(self) -> dict[str, Any]:
        levels = self._levels
        best = sorted(self._sold.items(), key=lambda item: -item[1])[:5]
        return {
            "orders": round(levels["orders"]),
            "revenue": round(self._revenue, 2),
            "latency": round(levels["latency"]),
            "errors": round(levels["errors"], 2),
            "queue": round(levels["queue"]),
            "build": self._build,
            "temperature": round(self._temperature, 1),
            "visitors": self._visitors,
            "cpu": round(levels["cpu"]),
            "news": self._news,
            "top": [[name, count] for name, count in best],
            "last": self._last,
        }

    def _wander(self, name: str, mean: float, step: float, every: int) -> None:
        if self._tick % every == 0:
            level = self._levels[name]
            self._levels[name] = max(0.0, level + 0.2 * (mean - level) + self._rng.gauss(0, step))

    def _sell(self, rush: float) -> None:
        if self._rng.random() < 0.35 * rush:
            product = self._rng.choices(_PRODUCTS, (6, 4, 2, 3, 2, 1))[0]
            amount = round(self._rng.uniform(1.8, 9.5), 2)
            self._sold[product] += 1
            self._revenue += amount
            self._last = f"{product}, {amount:.2f} €"


def _make(name: str, settings: DemoSettings, surroundings: Surroundings) -> Polling:
    return Polling(Shop(random.Random(7)).read, settings.every, surroundings.reactor)


KIND = Kind("demo", frozenset(), DemoSettings, _make)
