"""The sieve for MQTT: drops the parts of a broker's packets that would cost too much.

paho-mqtt keeps whole packets, which may have 256 MiB.  It reads properties in a time that grows with
the square of their size, so those of one packet could stop the daemon for minutes.  The form of packets
is in MQTT 5.0, section 2.1.
"""

from __future__ import annotations

import ssl
from collections.abc import Generator
from typing import Any, NoReturn

from streamd.sources.errors import SourceError
from streamd.sources.incoming_texts import MAX_TEXT

MAX_BODY = MAX_TEXT + 1
"""The most bytes of a message that are passed on: enough to refuse it."""

MAX_CONTROL = 2**12
"""The most bytes of a packet that is no message; paho reads properties of this size in some 20 ms."""

PROOF = 2**12
"""The bytes of an incomplete packet that prove that the broker lives, as the answer to a ping does."""

READ = 2**12
"""The most bytes that are read from the socket at once: tiny packets of this size take some 10 ms."""

FOREIGN = "what answers does not speak MQTT as expected"

_PUBLISH = 3
_PING_ANSWER = b"\xd0\x00"
_NO_PROPERTIES = b"\0"

_Steps = Generator[None, None, bytes]


class NotMqtt(SourceError):
    """The broker sent bytes that are not MQTT, or more than a broker may send."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(FOREIGN, detail, "url")


class PacketSieve:
    """Takes the bytes that a broker sends, in any pieces, and passes on whole packets.

    A message is cut, and its properties are left out: any publisher can make some.  Pure.
    """

    def __init__(self, five: bool) -> None:
        """:param five: whether the version of the protocol is 5."""
        self._five = five
        self._waiting = bytearray()
        self._passed = bytearray()
        self._left = 0  # bytes of the packet that were not taken yet
        self._silent = 0  # bytes since something was passed on
        self._packets = self._read()

    def take(self, data: bytes) -> bytes:
        """Return the part of these bytes that is passed on.

        A long packet passes on answers to pings meanwhile, or paho would miss them.

        :raises NotMqtt: if the broker does not send packets of this version.
        """
        self._waiting += data
        next(self._packets)
        passed, self._passed = bytes(self._passed), bytearray()
        self._silent = 0 if passed else self._silent + len(data)
        if self._silent >= PROOF:
            self._silent = 0
            return _PING_ANSWER
        return passed

    def _read(self) -> Generator[None, None, NoReturn]:
        while True:
            self._left = 5  # the longest front of a packet
            first = yield from self._bytes(1)
            self._left = yield from self._number()
            if first[0] >> 4 == _PUBLISH:
                rest = yield from self._message(first[0])
            elif self._left > MAX_CONTROL:
                raise NotMqtt(f"(a packet of type {first[0] >> 4} with {self._left} bytes)")
            else:
                rest = yield from self._bytes(self._left)
            self._passed += first + _encoded(len(rest)) + rest

    def _message(self, first: int) -> _Steps:
        """Return the part of a message, after its length, that is passed on."""
        qos = first >> 1 & 3
        if qos > 1:  # paho would keep such messages until they are released
            raise NotMqtt(f"(a message with QoS {qos}, which was not requested)")
        size = yield from self._bytes(2)
        topic = yield from self._bytes(int.from_bytes(size, "big") + 2 * qos)
        if self._five:
            yield from self._skip((yield from self._number()))
        body = yield from self._bytes(min(self._left, MAX_BODY))
        yield from self._skip(self._left)
        return size + topic + (_NO_PROPERTIES if self._five else b"") + body

    def _number(self) -> Generator[None, None, int]:
        """Read a number of one to four bytes."""
        value = 0
        for shift in range(0, 28, 7):
            [byte] = yield from self._bytes(1)
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise NotMqtt("(a length of more than four bytes)")

    def _bytes(self, size: int) -> _Steps:
        """Take the next bytes of the packet, once they are there."""
        self._use(size)
        while len(self._waiting) < size:
            yield
        return _cut(self._waiting, size)

    def _skip(self, size: int) -> Generator[None, None, None]:
        """Drop the next bytes of the packet as they come."""
        self._use(size)
        while size:
            size -= len(_cut(self._waiting, size))
            if size:
                yield

    def _use(self, size: int) -> None:
        if size > self._left:
            raise NotMqtt("(a packet that is shorter than its parts)")
        self._left -= size


class SievedSocket:
    """The socket of a connection, whose reader gets what a sieve passes on."""

    def __init__(self, socket: Any, sieve: PacketSieve) -> None:
        self._socket = socket
        self._sieve = sieve
        self._ready = bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def do_handshake(self) -> None:
        """Make the handshake of TLS, if the socket has TLS."""
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.do_handshake()

    def recv(self, size: int) -> bytes:
        """Return the next bytes, as the method of a socket that does not block.

        :raises NotMqtt: see :meth:`PacketSieve.take`.
        """
        if not self._ready:
            data = self._socket.recv(READ)
            if not data:
                return b""
            self._ready += self._sieve.take(data)
            if not self._ready:
                raise BlockingIOError
        return _cut(self._ready, size)

    def pending(self) -> int:
        """Return how many bytes can be read although the descriptor is not readable."""
        below = self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0
        return len(self._ready) + below


class SievedContext:
    """Stands in for a TLS context, and gives paho-mqtt sieved sockets.

    paho-mqtt has no other public way to bound its reads.

    :ivar check_hostname: True: paho has nothing to check itself.
    """

    check_hostname = True

    def __init__(self, tls: ssl.SSLContext | None, five: bool) -> None:
        """:param tls: the context of TLS; None for connections without it."""
        self._tls = tls
        self._five = five

    def wrap_socket(self, socket: Any, **options: Any) -> SievedSocket:
        """Return the socket for a connection."""
        if self._tls is not None:
            socket = self._tls.wrap_socket(socket, **options)
        return SievedSocket(socket, PacketSieve(self._five))


def _encoded(number: int) -> bytes:
    """Return a number in the form of one to four bytes."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def _cut(data: bytearray, size: int) -> bytes:
    """Take the first bytes."""
    part = bytes(data[:size])
    del data[:size]
    return part
