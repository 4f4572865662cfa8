"""Short versions of `make check-delivery`: nothing is lost or doubled, whatever happens."""

from __future__ import annotations

import pytest

from checks.delivery import SQLITE, Trial, prove_restarts, prove_trial, trials
from checks.proof import Proof
from checks.selections import prove_selections

SEED = 5
TRIALS = {trial.name: trial for trial in trials(drops=40, stalls=12)}
KEPT = {trial.name: trial for trial in trials(drops=40, stalls=12, journal=SQLITE)}


@pytest.mark.parametrize(
    "trial",
    [
        TRIALS["drops"],
        TRIALS["drops, little kept of a stream"],
        TRIALS["stalls, little kept of all"],
        TRIALS["drops and stalls"],
        TRIALS["drops and stalls, slow paces"],
        KEPT["drops and stalls"],
        KEPT["drops, little kept of a stream"],
        KEPT["stalls, little kept of all"],
    ],
    ids=lambda trial: trial.name + (", on disk" if trial.journal else ""),
)
def test_every_way_to_read(trial: Trial) -> None:
    proof = Proof()
    prove_trial(proof, trial, SEED)
    assert not proof.failures, "\n".join(proof.failures)


@pytest.mark.parametrize(("journal", "restarts"), [("", 1), (SQLITE, 3)], ids=["memory", "disk"])
def test_restarts(journal: str, restarts: int) -> None:
    proof = Proof()
    prove_restarts(proof, SEED, restarts, journal=journal)
    assert not proof.failures, "\n".join(proof.failures)


def test_selections() -> None:
    proof = Proof()
    prove_selections(proof, SEED, changes=225)
    assert not proof.failures, "\n".join(proof.failures)
