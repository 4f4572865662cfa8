"""Long or timed proofs: `make check-NAME` runs checks/NAME.py, which says what it proves.

Each has a function `prove(proof, …)`; tests/test_checks.py and tests/checks call the same ones with
smaller numbers.
"""
