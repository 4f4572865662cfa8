"""Backfills: how sources fill the past of their streams, once, from the history of a server."""
