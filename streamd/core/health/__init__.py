"""Health: whether sources and streams work, and why not.  Pure."""
