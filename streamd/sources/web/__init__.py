"""Clients for HTTP, event streams and WebSockets, within bounds."""
