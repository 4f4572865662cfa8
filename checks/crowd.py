"""Clients that cost little: thousands of WebSocket viewers in one thread, on raw sockets.

`Viewer` is one, `Crowd` many on one epoll, `Publisher` sends them something to see.  What they cost
decides what can be measured beside them: nothing here decodes a message that nobody looks at.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from tests.support.frames import frame, handshake

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A
"""First bytes of final frames (RFC 6455, section 5.2)."""

LOOPBACK = "127.0.0.1"
_RECEIVE = 256 * 1024
_EVENTS = 64
"""Sockets served before whoever runs a crowd may do something on time."""


class Frames:
    """Takes bytes from a server as they come, gives whole frames.

    :ivar rest: the bytes of the frame that is not whole yet.
    """

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that these bytes complete: the first byte and the payload of each."""
        if self.rest:
            data = self.rest + data
        found = []
        at, end = 0, len(data)
        while end - at >= 2:
            length, start = data[at + 1], at + 2
            if length == 126:
                start = at + 4
                length = int.from_bytes(data[at + 2 : start], "big")
            elif length == 127:
                start = at + 10
                length = int.from_bytes(data[at + 2 : start], "big")
            if end < start + length:
                break
            found.append((data[at], data[start : start + length]))
            at = start + length
        self.rest = data[at:]
        return found


class Viewer:
    """One WebSocket client.

    :ivar opened: when the handshake was answered, seconds of the monotonic clock; None: not yet.
    :ivar first: when the first message came.
    :ivar messages: how many came.
    :ivar received: bytes of frames read so far.
    :ivar newest: the last message.
    :ivar closed: the code of the close frame that came, 1005 for none in it.
    :ivar ended: the connection is gone.
    """

    __slots__ = (
        "_frames",
        "_head",
        "_hear",
        "closed",
        "ended",
        "first",
        "messages",
        "newest",
        "opened",
        "received",
        "socket",
        "started",
    )

    def __init__(
        self,
        port: int,
        hear: Callable[[Viewer, bytes, float], None] | None,
        source: str = LOOPBACK,
    ) -> None:
        self.started = time.monotonic()
        self.opened: float | None = None
        self.first: float | None = None
        self.messages = 0
        self.received = 0
        self.newest = b""
        self.closed: int | None = None
        self.ended = False
        self._head: bytes | None = b""
        self._frames = Frames()
        self._hear = hear
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.bind((source, 0))
        self.socket.connect_ex((LOOPBACK, port))

    def read(self, size: int = _RECEIVE) -> int:
        """Reads once; returns how many bytes came."""
        try:
            data = self.socket.recv(size)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return 0
        now = time.monotonic()
        count = len(data)
        if self._head is not None:
            data = self._answer(data, now)
        self.received += len(data)
        for first, payload in self._frames.feed(data):
            if first == TEXT:
                self.messages += 1
                self.newest = payload
                if self.first is None:
                    self.first = now
                if self._hear is not None:
                    self._hear(self, payload, now)
            else:
                self._control(first, payload)
        return count

    def _answer(self, data: bytes, now: float) -> bytes:
        assert self._head is not None
        answer, end, rest = (self._head + data).partition(b"\r\n\r\n")
        if not end:
            self._head = answer
            return b""
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        self._head = None
        self.opened = now
        return rest

    def _control(self, first: int, payload: bytes) -> None:
        if first == PING:
            self.say(frame(PONG, payload))
        elif first == CLOSE:
            self.closed = int.from_bytes(payload[:2], "big") if payload else 1005
            self.say(frame(CLOSE, payload[:2]))

    def say(self, data: bytes) -> None:
        """Sends ready frames; what the socket does not take is lost."""
        try:
            self.socket.send(data)
        except OSError:
            return


class Crowd:
    """Viewers on one epoll.  Nothing happens but in `turn` and what calls it."""

    def __init__(
        self,
        port: int,
        path: str = "/ws",
        hear: Callable[[Viewer, bytes, float], None] | None = None,
        source: str = LOOPBACK,
    ) -> None:
        """:param hear: called with the viewer, the message and the time of each message.

        :param source: the address of the viewers.
        """
        self._source = source
        self.viewers: list[Viewer] = []
        self._port = port
        self._head = handshake(path)
        self._hear = hear
        self._epoll = select.epoll()
        self._watched: dict[int, Viewer] = {}
        self._connecting: set[int] = set()

    def join(self, count: int = 1) -> list[Viewer]:
        """Let this many more viewers connect, all at once."""
        fresh = [Viewer(self._port, self._hear, self._source) for _ in range(count)]
        for viewer in fresh:
            self._connecting.add(viewer.socket.fileno())
            self._watch(viewer, select.EPOLLOUT)
        self.viewers += fresh
        return fresh

    def turn(self, timeout: float = 0.0) -> bool:
        """Serves some of the sockets that are ready; False if none was within `timeout` seconds."""
        events = self._epoll.poll(timeout, _EVENTS)
        for number, event in events:
            viewer = self._watched[number]
            if number in self._connecting and event & select.EPOLLOUT:
                self._connecting.discard(number)
                viewer.say(self._head)
                self._epoll.modify(number, select.EPOLLIN)
            else:
                viewer.read()
                if viewer.ended:
                    self._end(viewer)
        return bool(events)

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Serves for this many seconds, or until the question is true; returns whether it was."""
        deadline = time.monotonic() + seconds
        while until is None or not until():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.turn(min(left, 0.05))
        return True

    def gather(self, count: int, seconds: float = 30) -> list[Viewer]:
        """So many more viewers, each with its first message; AssertionError if that takes longer."""
        fresh = self.join(count)
        there = self.run(seconds, lambda: all(v.first is not None or v.ended for v in fresh))
        missing = sum(viewer.first is None for viewer in fresh)
        late = f"{missing} of {count} viewers got nothing in {seconds:g} s"
        assert there, late
        assert not missing, late
        return fresh

    def mute(self, viewer: Viewer) -> None:
        """Stop reading for a viewer."""
        self._unwatch(viewer)

    def hearken(self, viewer: Viewer) -> None:
        """Read again for a viewer."""
        self._watch(viewer, select.EPOLLIN)

    def dismiss(self, viewer: Viewer) -> None:
        """Cut the connection of a viewer, without a close frame."""
        self._end(viewer)
        self.viewers.remove(viewer)

    def leave(self) -> None:
        """Cut all connections, without close frames."""
        for viewer in self.viewers:
            if not viewer.ended:
                self._end(viewer)
        self.viewers.clear()

    def close(self) -> None:
        """Cut all connections, and free the epoll."""
        self.leave()
        self._epoll.close()

    def _watch(self, viewer: Viewer, event: int) -> None:
        self._watched[viewer.socket.fileno()] = viewer
        self._epoll.register(viewer.socket.fileno(), event)

    def _unwatch(self, viewer: Viewer) -> None:
        number = viewer.socket.fileno()
        if self._watched.pop(number, None) is not None:
            self._connecting.discard(number)
            self._epoll.unregister(number)

    def _end(self, viewer: Viewer) -> None:
        self._unwatch(viewer)
        viewer.ended = True
        viewer.socket.close()

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


class Publisher:
    """Publishes on one connection, and does not wait for the answers: it counts them.

    :ivar sent: values sent so far.
    :ivar accepted: answers 201 so far.
    """

    def __init__(self, port: int, token: str = "") -> None:
        self.sent = 0
        self.accepted = 0
        self._token = f"Authorization: Bearer {token}\r\n" if token else ""
        self._socket = socket.create_connection((LOOPBACK, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tail = b""

    def publish(self, stream: str, value: bytes, at: float | None = None) -> None:
        """Sends one value; blocks only when the daemon is megabytes behind.

        :param at: when it was true, in seconds since the epoch; None: now.
        """
        head = f"POST /streams/{stream} HTTP/1.1\r\nHost: {LOOPBACK}\r\n{self._token}"
        head += "" if at is None else f"Streamd-Time: {at}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(value)}\r\n\r\n"
        self._socket.sendall(head.encode() + value)
        self.sent += 1

    def count_answers(self) -> None:
        """Reads the answers that came."""
        status = b"HTTP/1.1 201"
        while True:
            try:
                data = self._socket.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if not data:
                return
            text = self._tail + data
            self.accepted += text.count(status)
            # A status that is cut is counted when its rest comes, a whole one never twice.
            last = text.rfind(status)
            rest = text if last < 0 else text[last + len(status) :]
            self._tail = rest[1 - len(status) :]

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
