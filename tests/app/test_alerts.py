"""The alerts of a service, found by their names."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock

from streamd.app.alerts import alerts_of
from streamd.app.service import Streamd
from streamd.config.parse import parse
from streamd.sources.registry import find_kinds

CONFIG = """
[sources.shop]
formula = "1 + 1"
[alerts.shop]
streams = ["shop"]
to = ["http://127.0.0.1:1/"]
"""


def test_alerts_are_found_among_sources() -> None:
    service = Streamd(MemoryReactorClock(), parse(CONFIG, find_kinds()))
    [(name, alert)] = alerts_of(service.shifts).items()
    assert (name, alert.stream) == ("shop", "alerts.shop")
    assert [shift.name for shift in service.shifts] == ["shop", "alerts.shop"]
