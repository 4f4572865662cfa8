"""The whole idea in plain Twisted and Autobahn: a number that grows, and every page that shows it.

Run `python examples/bare.py [port]`, then open http://localhost:5000/ or, from disk, bare.html.
"""

import json
import random
import sys
from pathlib import Path

from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor, task
from twisted.python import log
from twisted.web.server import Site


class Viewer(WebSocketServerProtocol):
    def onOpen(self):
        self.factory.viewers.add(self)
        self.sendPreparedMessage(self.factory.message())

    def onClose(self, wasClean, code, reason):
        self.factory.viewers.discard(self)


class Stream(WebSocketServerFactory):
    protocol = Viewer

    def __init__(self):
        super().__init__()
        self.viewers = set()
        self.variable = 0

    def message(self):
        return self.prepareMessage(json.dumps({"variable": self.variable}).encode())

    def grow(self):
        self.variable += random.randint(1, 10)
        message = self.message()
        for viewer in self.viewers:
            viewer.sendPreparedMessage(message)


class Page(WebSocketResource):
    def render(self, request):
        if request.requestHeaders.hasHeader("upgrade"):
            return super().render(request)
        return Path(__file__).with_name("bare.html").read_bytes()


log.startLogging(sys.stdout)
stream = Stream()
growth = task.LoopingCall(lambda: task.deferLater(reactor, random.random(), stream.grow))
growth.start(0).addErrback(log.err)
reactor.listenTCP(int(sys.argv[1]) if len(sys.argv) > 1 else 5000, Site(Page(stream)))
reactor.run()
