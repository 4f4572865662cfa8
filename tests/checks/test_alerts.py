"""Alerts on two nodes that are killed one after the other."""

from __future__ import annotations

from functools import partial

from checks import alerts
from tests.checks import assert_proved


def test_short() -> None:
    prove = partial(alerts.prove_kills, what="two nodes", journal="redis", nodes=2)
    assert_proved(partial(prove, kills=4, longest=4.0))
