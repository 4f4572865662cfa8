"""A journal whose daemon is killed."""

from __future__ import annotations

from functools import partial

from checks import journal
from tests.checks import assert_proved


def test_short() -> None:
    assert_proved(partial(journal.prove, kills=10))
