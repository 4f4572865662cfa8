"""A server of event streams that keeps its events, resumes after an id, and breaks on demand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any


class EventServer(ThreadingHTTPServer):
    """Serves `/` of 127.0.0.1; what `emit` said with an id is told again to whoever was away."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[Any] = []  # the heads of all requests
        self.head: tuple[int, dict[str, str]] = (200, {"Content-Type": "text/event-stream"})
        self.body = b""  # what every answer begins with
        self._log: list[bytes] = []
        self._open: list[SimpleQueue[bytes | None]] = []
        self._lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    @property
    def connections(self) -> int:
        return len(self._open)

    def emit(self, data: str) -> None:
        """Sends an event with the next id to everyone, and keeps it."""
        with self._lock:
            self._log.append(b"id: %d\ndata: %b\n\n" % (len(self._log) + 1, data.encode()))
            for queue in self._open:
                queue.put(self._log[-1])

    def say(self, data: bytes) -> None:
        """Sends bytes to everyone who is connected."""
        with self._lock:
            for queue in self._open:
                queue.put(data)

    def drop(self) -> None:
        """Ends all connections."""
        with self._lock:
            for queue in self._open:
                queue.put(None)
            self._open.clear()

    def joined(self, last: str | None) -> SimpleQueue[bytes | None]:
        queue: SimpleQueue[bytes | None] = SimpleQueue()
        with self._lock:
            queue.put(self.body)
            for event in self._log[int(last or 0) :]:
                queue.put(event)
            self._open.append(queue)
        return queue


class _Answer(BaseHTTPRequestHandler):
    server: EventServer

    def do_GET(self) -> None:
        self.server.asked.append(self.headers)
        status, headers = self.server.head
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if status != 200:
            return
        last = self.headers["Last-Event-ID"]
        queue = self.server.joined(last if (last or "0").isdigit() else None)
        with suppress(OSError):
            while (data := queue.get()) is not None:
                self.wfile.write(data)
                self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def event_server() -> Iterator[EventServer]:
    server = EventServer()
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.drop()
        server.shutdown()
        thread.join()
        server.server_close()
