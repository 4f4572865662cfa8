"""Long histories of daemons that are killed."""

from __future__ import annotations

from functools import partial

from checks import slots
from tests.checks import assert_proved


def test_short() -> None:
    assert_proved(partial(slots.prove, kills=2))
