"""How long an update waits inside a quiet daemon: from the journal's append to the viewer's write.

One process, a real socket, nothing else going on.  `make bench-quiet` prints it.
"""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import patch

from twisted.internet import task
from twisted.internet.defer import inlineCallbacks
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from streamd.app.service import Streamd
from streamd.config.parse import parse
from streamd.core.update import Draft
from streamd.hub.fast_write import FastLink
from streamd.sources.registry import find_kinds
from tests.support.served import QUIET, handshake

ROUNDS = 500
PAUSE = 0.05
"""Seconds between two updates: more than the usual pace, so each finds the daemon quiet."""


@inlineCallbacks
def measure(reactor: Any) -> Any:
    """Prints the delays."""
    service = Streamd(reactor, parse(QUIET, find_kinds()), ports=["tcp:0:interface=127.0.0.1"])
    service.privilegedStartService()
    service.startService()
    address: Any = service.listening[0].getHost()
    viewer = Protocol()
    yield connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", address.port), viewer)
    assert viewer.transport is not None
    viewer.transport.write(handshake())
    while not len(service.hub):
        yield task.deferLater(reactor, PAUSE)
    written = 0.0
    write = FastLink.write

    def note(link: FastLink, data: bytes) -> None:
        nonlocal written
        written = time.perf_counter()
        write(link, data)

    delays = []
    with patch.object(FastLink, "write", note):
        for number in range(ROUNDS):
            yield task.deferLater(reactor, PAUSE)
            began = time.perf_counter()
            yield service.journal.append([Draft("a", b"%d" % number)])
            while written < began:
                yield task.deferLater(reactor, 0)
            delays.append((written - began) * 1000)
    delays.sort()
    at = {"median": ROUNDS // 2, "99 %": ROUNDS * 99 // 100, "worst": -1}
    print(", ".join(f"{name} {delays[index]:.3f} ms" for name, index in at.items()))
    viewer.transport.loseConnection()
    yield service.stopService()


if __name__ == "__main__":
    task.react(measure)
