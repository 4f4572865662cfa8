"""How many updates a second one program publishes on a WebSocket: `make bench-publish`.

The daemon is a process of its own.  The client sends messages of this many updates, and keeps eight of
them under way.  An update counts when its receipt has come.  The last column is per second of the
daemon's CPU: it says what a core takes, also on a machine that has other work.  Single updates are
bounded by the messages that one client may send.
"""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median

from tests.support.daemon import Daemon
from tests.support.frames import frame, handshake

SECONDS = 5.0
ROUNDS = 3
STREAMS = 1000
UNDER_WAY = 8
SIZES = (1, 100, 1000)
MOST = 1000
"""Messages a second, at most: a client that sends more is disconnected."""

JOURNALS = {"memory": "", "SQLite": '[journal]\npath = "streamd.db"\n'}


def messages(size: int) -> Iterator[bytes]:
    """Frames with this many updates each; every value is another one."""
    number = 0
    while True:
        updates = []
        for _ in range(size):
            updates.append(b'{"stream":"s%d","value":%d}' % (number % STREAMS, number))
            number += 1
        yield frame(0x81, b'{"type":"publish","updates":[%b]}' % b",".join(updates))


class Client:
    """A connection that selects nothing, so that only receipts come."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        lines = handshake("/ws?streams=", "Sec-WebSocket-Protocol: streamd.v1")
        self._socket.sendall(lines)
        while self._file.readline() != b"\r\n":
            pass

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receipt(self) -> None:
        """Wait for the next receipt, and check that it tells no error."""
        while True:
            length = self._file.read(2)[1]
            if length == 126:
                [length] = struct.unpack("!H", self._file.read(2))
            elif length == 127:
                [length] = struct.unpack("!Q", self._file.read(8))
            payload = self._file.read(length)
            if payload.startswith(b'{"type":"receipt","at"'):
                return
            assert not payload.startswith(b'{"type":"receipt"'), payload


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rates(daemon: Daemon, size: int) -> tuple[float, float]:
    """Updates whose receipts have come: per second, and per second of the daemon's CPU."""
    made = messages(size)
    prepared = [next(made) for _ in range(200)]
    with closing(Client(daemon.port)) as client:
        began, used, count = time.perf_counter(), cpu_of(daemon.pid), 0
        for number in range(UNDER_WAY):
            client.send(prepared[number])
        while time.perf_counter() < began + SECONDS:
            client.receipt()
            count += size
            time.sleep(max(0.0, began + count / size / MOST - time.perf_counter()))
            client.send(prepared[(count // size) % len(prepared)])
        used = cpu_of(daemon.pid) - used
        return count / (time.perf_counter() - began), count / used


def main() -> None:
    print(f"{'journal':8}  {'updates in a message':>20}  {'updates/s':>10}  {'a core':>10}")
    for name, journal in JOURNALS.items():
        with tempfile.TemporaryDirectory() as folder:
            daemon = Daemon(Path(folder), config=f'[access]\npublish = "loopback"\n{journal}')
            daemon.start()
            try:
                for size in SIZES:
                    found = zip(*[rates(daemon, size) for _ in range(ROUNDS)], strict=True)
                    told, of_core = map(median, found)
                    print(f"{name:8}  {size:20}  {told:10,.0f}  {of_core:10,.0f}", flush=True)
            finally:
                daemon.stop()


if __name__ == "__main__":
    main()
