"""The daemon's WebSocket as an echo: everything as it is served but what is done with a message.

Conformance is about framing, and an echo is how all suites look at that.  Run as a program, it serves
a port: `python -m tests.support.echo PORT`, for suites from outside.
"""

from __future__ import annotations

import sys
from typing import Any

from streamd.app import service
from streamd.config.parse import parse
from streamd.http.request import Handover, Request
from streamd.http.viewers.websocket import BURST, StreamFactory, StreamProtocol
from tests.support.served import QUIET


class EchoProtocol(StreamProtocol):
    """A viewer that is told nothing but what it says."""

    def begin(self) -> None:
        self.factory.protocols.opened(self)

    def onFrameBegin(self) -> None:
        self._allowance = float(BURST)  # suites send more than viewers may
        super().onFrameBegin()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.sendMessage(payload, isBinary)


class EchoFactory(StreamFactory):
    """The factory as it is, options and all; only its viewers echo, and who errs is not waited for."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.closeHandshakeTimeout = 1.5  # type: ignore[assignment]  # Autobahn takes any number

    def upgrade(self, request: Request) -> Handover:
        handover = super().upgrade(request)
        handover.protocol.__class__ = EchoProtocol  # made as it is made, but for what it answers
        return handover


def main(port: int) -> None:
    """Serves until it is killed."""
    from twisted.internet import reactor

    run: Any = reactor
    vars(service)["StreamFactory"] = EchoFactory
    served = service.Streamd(run, parse(QUIET, ()), ports=[f"tcp:{port}:interface=127.0.0.1"])
    served.privilegedStartService()
    served.startService()
    run.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
