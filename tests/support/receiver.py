"""A receiver of alerts: a real HTTP server that keeps what it was sent."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.net import free_port

Answer = tuple[int, dict[str, str]]
Decide = Callable[[Any], Answer]


class Receiver:
    """Listens on `port` of 127.0.0.1; `up` and `down` may follow each other.

    :ivar messages: what it took, in order: the JSON of each request that it answered with 2xx.
    :ivar keys: the Idempotency-Key of each of these.
    :ivar refused: the JSON of each request that it answered with another status.
    :ivar decide: takes a message, and returns the status and the headers of the answer.
    """

    def __init__(self, path: str = "/hook/s3cret-part") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{path}"
        self.path = path
        self.messages: list[Any] = []
        self.keys: list[str | None] = []
        self.refused: list[Any] = []
        self.decide: Decide = lambda message: (204, {})
        self._server: http.server.ThreadingHTTPServer | None = None

    def up(self, context: ssl.SSLContext | None = None) -> None:
        """Listen; with a context, speak TLS."""
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                message = json.loads(self.rfile.read(length))
                known = self.path == receiver.path
                status, headers = receiver.decide(message) if known else (404, {})
                if 200 <= status < 300:
                    receiver.messages.append(message)
                    receiver.keys.append(self.headers["Idempotency-Key"])
                else:
                    receiver.refused.append(message)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def once(self) -> list[Any]:
        """The messages; one that was sent again, because its answer was lost, has the same id."""
        return list({message["id"]: message for message in self.messages}.values())

    def kinds(self) -> list[str]:
        """The kinds of the messages, each counted once."""
        return [message["kind"] for message in self.once()]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that is up while the block runs."""
    receiver = Receiver()
    receiver.up()
    try:
        yield receiver
    finally:
        receiver.down()


def faults(messages: list[Any]) -> list[str]:
    """What is wrong with a record: each event begins once, ends once, and in this order.

    A message that came twice has the same id both times, and counts once.
    """
    wrong = []
    seen: dict[str, list[str]] = {}
    ids = set()
    for message in messages:
        if message["id"] not in ids:
            ids.add(message["id"])
            seen.setdefault(message["event"], []).append(message["kind"])
    for event, kinds in seen.items():
        told = [kind for kind in kinds if kind != "reminder"]
        if told not in (["begin", "end"], ["test"]):
            wrong.append(f"{event}: {', '.join(kinds)}")
    return wrong
