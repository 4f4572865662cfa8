"""The proofs in checks/ about what is lost or doubled, with small numbers.

The tests show that the proofs run, and that their claims hold.  They wait more than they compute, so
they run beside other tests, each in a file of its own.  tests/test_checks.py is about the other proofs.
"""

from __future__ import annotations

from collections.abc import Callable

from checks.proof import Proof

PATIENCE = 20.0
"""By how much more time a test may take than a proof on a quiet machine."""


def assert_proved(prove: Callable[[Proof], None]) -> None:
    """Run a proof; AssertionError with the claims that do not hold."""
    proof = Proof(patience=PATIENCE)
    prove(proof)
    assert not proof.failures, "\n".join(proof.failures)
