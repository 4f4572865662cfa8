"""What answers like Redis at first, and then otherwise."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Thread


@contextmanager
def odd_redis(answers: Sequence[bytes]) -> Iterator[int]:
    """Answers each request of a connection with the next of these, and with the last from then on.

    Gives its port.
    """

    def accept() -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                Thread(target=answer, args=listener.accept()[:1], daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            number = 0
            while connection.recv(65536):
                connection.sendall(answers[min(number, len(answers) - 1)])
                number += 1

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
