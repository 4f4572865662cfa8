"""The proofs in checks/ that load the machine or measure times, with small numbers.

The tests show that the proofs run, and that their claims hold.  tests/checks is about the other proofs.
"""

from __future__ import annotations

from functools import partial

import pytest
from playwright.sync_api import Browser

from checks import (
    attacks,
    clock,
    memory,
    proxies,
    reload,
    soak,
    sources,
    stalled,
    stop,
    storm,
    wall,
)
from checks.proof import MIB, Proof

SHORT = {
    "attacks": partial(
        attacks.prove, size=2 * MIB, pings=20_000, peers=0.25, seconds=1.0, deadlines=False
    ),
    "hostile": partial(attacks.prove_hostile, peers=20, viewers=20, seconds=0.5, history=1000),
    "clock": partial(clock.prove, seconds=2.0),
    "memory": partial(memory.prove, viewers=200, times=1, stay=0.5),
    "reload": partial(reload.prove, viewers=100, reloads=5),
    "sources": partial(sources.prove, seconds=3.0),
    "stalled": partial(
        stalled.prove, viewers=100, stalled=20, slow=5, rate=100, seconds=3, quiet=0
    ),
    "stop": partial(stop.prove, viewers=100, mute=10),
    "storm": partial(storm.prove, clients=300, drippers=300),
}


@pytest.mark.parametrize("name", SHORT)
def test_short(name: str) -> None:
    proof = Proof(patience=20.0)
    SHORT[name](proof)
    assert not proof.failures, "\n".join(proof.failures)


def test_short_proxies(browser: Browser) -> None:
    proof = Proof(patience=8.0)
    proxies.prove(proof, browser=browser, walls=("haproxy",), below=(True,), more=False)
    assert not proof.failures, "\n".join(proof.failures)


def test_short_wall(browser: Browser) -> None:
    proof = Proof(patience=2.0)
    wall.prove(proof, seconds=12, longest=3, browser=browser)
    assert not proof.failures, "\n".join(proof.failures)


def test_short_soak(browser: Browser) -> None:
    proof = Proof()
    soak.prove(proof, streams=24, updates=1200, reconnects=5, parts=5, warm_up=20, browser=browser)
    assert not proof.failures, "\n".join(proof.failures)
