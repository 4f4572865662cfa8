"""Prometheus: requests to its API, and its answers about the present and the past."""
