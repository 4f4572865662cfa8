"""Formulas: their language, and the values that they need from other streams.  Pure."""
