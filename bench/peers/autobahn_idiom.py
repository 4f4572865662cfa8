"""Twisted and Autobahn, as Autobahn's own broadcast example does it: one prepared message for all."""

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from messages import PORT, message, schedule
from twisted.internet import reactor, task
from twisted.internet.defer import ensureDeferred
from twisted.python import log


class Viewer(WebSocketServerProtocol):
    def onOpen(self):
        self.factory.viewers.add(self)

    def onClose(self, wasClean, code, reason):
        self.factory.viewers.discard(self)


class Stream(WebSocketServerFactory):
    protocol = Viewer

    def __init__(self):
        super().__init__()
        self.viewers = set()

    async def publish(self):
        for wait, due in schedule():
            await task.deferLater(reactor, wait)
            prepared = self.prepareMessage(message(due).encode())
            for viewer in self.viewers:
                viewer.sendPreparedMessage(prepared)


stream = Stream()
reactor.listenTCP(PORT, stream, backlog=4096)
ensureDeferred(stream.publish()).addErrback(log.err)
reactor.run()
