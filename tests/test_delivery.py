"""Short versions of `make check-delivery`: nothing is lost or doubled, whatever happens."""

from __future__ import annotations

import pytest

from checks.delivery import Trial, prove_restarts, prove_trial, trials
from checks.proof import Proof
from checks.selections import prove_selections

SEED = 5
TRIALS = {trial.name: trial for trial in trials(drops=40, stalls=12)}


@pytest.mark.parametrize(
    "trial",
    [
        TRIALS["drops"],
        TRIALS["drops, little kept of a stream"],
        TRIALS["stalls, little kept of all"],
        TRIALS["drops and stalls"],
        TRIALS["drops and stalls, slow paces"],
    ],
    ids=lambda trial: trial.name,
)
def test_every_way_to_read(trial: Trial) -> None:
    proof = Proof()
    prove_trial(proof, trial, SEED)
    assert not proof.failures, "\n".join(proof.failures)


def test_restarts() -> None:
    proof = Proof()
    prove_restarts(proof, SEED, restarts=1)
    assert not proof.failures, "\n".join(proof.failures)


def test_selections() -> None:
    proof = Proof()
    prove_selections(proof, SEED, changes=225)
    assert not proof.failures, "\n".join(proof.failures)
