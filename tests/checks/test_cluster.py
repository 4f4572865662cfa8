"""Nodes that are killed and frozen."""

from __future__ import annotations

from functools import partial

from checks import cluster
from tests.checks import assert_proved


def test_short() -> None:
    assert_proved(partial(cluster.prove, seconds=25.0, frozen=5.0))
