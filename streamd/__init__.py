"""streamd: the current state of your data streams, on every screen."""

__version__ = "0.1.0"
