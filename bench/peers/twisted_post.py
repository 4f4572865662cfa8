"""The least that a server on Twisted does for a small POST: it reads bytes, and writes an answer.

It takes each read for one whole request, and looks at nothing in it.
"""

from messages import PORT
from twisted.internet import protocol, reactor

ANSWER = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"seq": 42}'
)


class Post(protocol.Protocol):
    """A connection that is kept alive."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(ANSWER)


reactor.listenTCP(PORT, protocol.Factory.forProtocol(Post), interface="127.0.0.1", backlog=4096)
reactor.run()
