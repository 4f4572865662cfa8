"""Prometheus: how its API is asked, and what it answers for now and for the past."""
