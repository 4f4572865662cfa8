"""A backfill of a daemon that is killed in it, with a log in a file and in Redis."""

from __future__ import annotations

from functools import partial

import pytest

from checks import backfill
from tests.checks import assert_proved


@pytest.mark.parametrize("journal", ["sqlite", "redis"])
def test_short(journal: str) -> None:
    prove = partial(backfill.prove, rows=60_000, days=30, width=300)
    assert_proved(partial(prove, journal=journal))
