"""Short versions of `make check-delivery`: nothing is lost or doubled, whatever happens."""

from __future__ import annotations

import pytest

from checks.delivery import SQLITE, Trial, prove_restarts, prove_trial, trials
from checks.proof import Proof
from checks.readers import WAYS
from checks.selections import prove_selections
from tests.support.daemon import StartDaemon
from tests.support.redis import Redis

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


@pytest.mark.parametrize("name", ["drops and stalls", "drops, little kept of a stream"])
def test_from_node_to_node(name: str, redis: Redis, start_daemon: StartDaemon) -> None:
    journal = f'[journal]\nurl = "redis://127.0.0.1:{redis.port}"\n'
    trial = TRIALS[name]._replace(journal=journal)
    others = tuple(start_daemon(config=trial.config).port for _ in range(2))
    proof = Proof()
    # Who has no cursor may be told by a node that is behind what it knew already.
    prove_trial(proof, trial._replace(others=others), SEED, [way for way in WAYS if way.resumes])
    assert not proof.failures, "\n".join(proof.failures)


def test_restarts_of_a_node(redis: Redis) -> None:
    proof = Proof()
    prove_restarts(proof, SEED, 3, journal=f'[journal]\nurl = "redis://127.0.0.1:{redis.port}"\n')
    assert not proof.failures, "\n".join(proof.failures)


def test_selections() -> None:
    proof = Proof()
    prove_selections(proof, SEED, changes=225)
    assert not proof.failures, "\n".join(proof.failures)
