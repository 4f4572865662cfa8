"""Backfills: how sources fill the past of their streams, once, with what a server knows of it."""
