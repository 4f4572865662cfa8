"""Measurements: `make bench-NAME` runs bench/NAME.py, which says of what, and asserts nothing."""
