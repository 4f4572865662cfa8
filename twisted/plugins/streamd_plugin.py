"""`twistd streamd`. Every twistd run imports this file, so it does nothing but name the service."""

from twisted.application.service import ServiceMaker

streamd = ServiceMaker(
    "streamd",
    "streamd.app.tap",
    "The current state of data streams, on every screen.",
    "streamd",
)
