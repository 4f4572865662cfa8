"""examples/bare.py, as it is, with the messages of the others instead of its own."""

import random
import runpy
import sys
import time
from pathlib import Path

from autobahn.twisted.websocket import WebSocketServerFactory
from messages import PORT, message, schedule
from twisted.internet import reactor

moments = schedule()
moment = [time.monotonic()]


def wait():
    """Its random wait, which is none here."""
    pause, moment[0] = next(moments, (1e6, 0.0))
    return pause


prepare = WebSocketServerFactory.prepareMessage
WebSocketServerFactory.prepareMessage = lambda self, payload: prepare(
    self, message(moment[0]).encode()
)
listen = reactor.listenTCP
reactor.listenTCP = lambda port, site: listen(port, site, backlog=4096)
random.random = wait
sys.argv[1:] = [str(PORT)]
runpy.run_path(str(Path(__file__).parents[2] / "examples" / "bare.py"), run_name="__main__")
