"""`twistd streamd`. Every run of twistd imports this file, so it only names the service."""

from twisted.application.service import ServiceMaker

streamd = ServiceMaker(
    "streamd",
    "streamd.app.tap",
    "The current state of data streams, on every screen.",
    "streamd",
)
