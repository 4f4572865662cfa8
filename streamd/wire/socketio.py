"""Socket.IO: the packets that its clients and the daemon exchange.  This module is pure.

Packets of Engine.IO 4 contain packets of Socket.IO 5::

    <- 0{"sid":"…","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":8000,"maxPayload":65536}
    -> 40{"token":"…","streams":["orders"]}      connect; both members may be left out
    <- 40{"sid":"…"}                             or 44{"message":"…","data":{"code":"…"}}
    <- 42["state",{"orders":7}]                  first the state, then what changed, as the plain format
    -> 421["subscribe",{"streams":["db.*"]}]     another selection
    <- 431[{"error":null}]                       and the state of the new selection
    <- 2                                         a ping, which is answered
    -> 3
    -> 41                                        disconnect; 1 closes the session, too

A WebSocket carries a packet in each message.  The answer to a poll, and the body of a POST, has several
packets with :data:`SEPARATOR` between.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from streamd.core.cursor import Answer
from streamd.core.errors import Refused
from streamd.core.selection import Selection
from streamd.core.type_errors import reworded
from streamd.wire.encoding import Encoding, Message, Welcome, encode_json
from streamd.wire.frames import MAX_INBOUND, deflated_frame, frame
from streamd.wire.plain import PLAIN_FORMAT
from streamd.wire.requests import Subscription, round_pace

# -- Engine.IO: packets ----------------------------------------------------------------------------

SEPARATOR = b"\x1e"

MAX_PACKETS = 200
"""The most packets in the body of one POST: as many as a WebSocket may send at once."""


class PacketType(Enum):
    """The types of Engine.IO packets; the value is the first byte of one."""

    OPEN = b"0"
    CLOSE = b"1"
    PING = b"2"
    PONG = b"3"
    MESSAGE = b"4"
    UPGRADE = b"5"
    NOOP = b"6"
    BINARY = b"b"  # in a payload only: base64 follows


class Packet(NamedTuple):
    """One Engine.IO packet.

    :ivar data: the text after the type; of a binary packet, its bytes.
    """

    type: PacketType
    data: bytes


_TYPES = {type.value: type for type in PacketType if type is not PacketType.BINARY}

PROBE = b"probe"


def bad_packet(why: str) -> Refused:
    """Return the error for a client that breaks the protocol; its session is then closed.

    :param why: the reason, for people.
    """
    return Refused(400, "bad-packet", why, members={"code": 3, "message": "Bad request"})


def parse_packet(text: bytes) -> Packet:
    """Parse the text of one packet.

    :raises Refused: 400 if it has no known type.
    """
    type = _TYPES.get(text[:1])
    if type is None or type is PacketType.OPEN:
        raise bad_packet("a packet of Engine.IO begins with a digit from 1 to 6")
    return Packet(type, text[1:])


def parse_payload(body: bytes) -> list[Packet]:
    """Parse the body of a POST.

    :raises Refused: 400 if one of its packets is malformed, or if there are too many.
    """
    texts = body.split(SEPARATOR, MAX_PACKETS)
    if len(texts) > MAX_PACKETS:
        raise bad_packet(f"a payload may have {MAX_PACKETS} packets")
    return [_of_payload(text) for text in texts]


def _of_payload(text: bytes) -> Packet:
    if text[:1] != PacketType.BINARY.value:
        return parse_packet(text)
    try:
        return Packet(PacketType.BINARY, b64decode(text[1:], validate=True))
    except binascii.Error:
        raise bad_packet("expected base64 after b") from None


def packet(type: PacketType, data: bytes = b"") -> bytes:
    """Return the text of a packet."""
    return type.value + data


def open_packet(sid: str, upgrades: Sequence[str], every: float, within: float) -> bytes:
    """Return the first packet of a session.

    :param every: seconds between two pings.
    :param within: seconds within which the client must answer a ping.
    """
    opened = {
        "sid": sid,
        "upgrades": upgrades,
        "pingInterval": round(every * 1000),
        "pingTimeout": round(within * 1000),
        "maxPayload": MAX_INBOUND,
    }
    return packet(PacketType.OPEN, encode_json(opened))


# -- Socket.IO: what is in a message ---------------------------------------------------------------


class SaidType(Enum):
    """The types of Socket.IO packets."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


class Said(NamedTuple):
    """One Socket.IO packet from a client.

    :ivar namespace: ``/`` unless the client named another one.
    :ivar attachments: how many binary packets belong to it and follow.
    :ivar id: the number under which the client expects an acknowledgement; None if it expects none.
    :ivar payload: an array for events and acknowledgements; for ``CONNECT`` an object or None.
    """

    type: SaidType
    namespace: str
    attachments: int
    id: int | None
    payload: Any


_SAID = re.compile(
    rb"(?:([0-4])|([56])([0-9]{1,3})-)"  # the type, and the number of attachments
    rb"(?:(/[^,]{0,200})(?:,|$))?"  # the namespace
    rb"([0-9]{1,15})?"  # the number of the acknowledgement
    rb"(.*)",
    re.DOTALL,
)

_EVENTS = (SaidType.EVENT, SaidType.BINARY_EVENT)
_WITH_ARRAY = (*_EVENTS, SaidType.ACK, SaidType.BINARY_ACK)


def parse_said(data: bytes) -> Said:
    """Parse the Socket.IO packet in an Engine.IO message.

    :raises Refused: 400 if it is malformed.
    """
    match = _SAID.fullmatch(data)
    if match is None:
        raise bad_packet("expected a packet of Socket.IO 5")
    plain, binary, attachments, namespace, id, text = match.groups()
    said = Said(
        SaidType(int(plain or binary)),
        "/" if namespace is None else namespace.decode("utf-8", "replace"),
        int(attachments or 0),
        None if id is None else int(id),
        _payload(text),
    )
    if not _is_valid(said):
        raise bad_packet(f"{said.type.name} cannot have this payload")
    return said


def _payload(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text) if text else None
    except RecursionError:
        raise bad_packet("nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise bad_packet(f"not JSON: {error}") from None


def _is_valid(said: Said) -> bool:
    if said.type is SaidType.CONNECT:
        return said.payload is None or isinstance(said.payload, dict)
    if said.type is SaidType.DISCONNECT:
        return said.payload is None
    if said.type not in _WITH_ARRAY or not isinstance(said.payload, list):
        return False
    return said.type not in _EVENTS or isinstance((said.payload or [None])[0], str | int)


class Wish(msgspec.Struct, frozen=True):
    """The request of a client that connects or subscribes.

    :ivar streams: names and globs; None for all streams.
    :ivar pace: the shortest time between two messages, such as ``"1s"``.
    :ivar token: the token of a client that connects.
    """

    streams: list[str] | None = None
    pace: str | None = None
    token: str | None = None

    def subscription(self) -> Subscription:
        """Return the subscription.

        :raises Refused: 400; the message names the member.
        """
        return Subscription(Selection(self.streams), round_pace(self.pace))


def parse_wish(payload: Any) -> Wish:
    """Return the request in a payload; without a payload the client asks for all streams.

    :raises Refused: 400 if a member has another type.
    """
    try:
        return Wish() if payload is None else msgspec.convert(payload, Wish)
    except msgspec.ValidationError as error:
        raise Refused(400, "bad-message", f"not understood: {reworded(error)}") from None


def connected(sid: str) -> bytes:
    """Return the answer to a client that may connect.

    :param sid: the identity of the connection in Socket.IO, which must differ from the one in
        Engine.IO.
    """
    return _message(b"0", encode_json({"sid": sid}))


def connect_error(namespace: str, message: str, code: str = "") -> bytes:
    """Return the answer to a client that may not connect to a namespace.

    :param code: a short, stable word for programs; a client finds it in ``error.data.code``.
    """
    place = b"" if namespace == "/" else namespace.encode() + b","
    about: dict[str, Any] = {"message": message}
    if code:
        about["data"] = {"code": code}
    return _message(b"4", place + encode_json(about))


def acknowledgement(id: int, *values: Any) -> bytes:
    """Return the acknowledgement of an event."""
    return _message(b"3", b"%d" % id + encode_json(values))


def event_of(name: str, *values: Any) -> bytes:
    """Return an event for a client."""
    return _message(b"2", encode_json([name, *values]))


def _message(type: bytes, rest: bytes) -> bytes:
    return packet(PacketType.MESSAGE, type + rest)


# -- the encodings of audiences --------------------------------------------------------------------


def _carried(name: str, carry: Callable[[bytes], bytes]) -> Encoding:
    """Return the encoding that makes events of the plain format, and carries them as packets."""

    def write(answer: Answer, texts: Iterable[bytes]) -> Message:
        payloads, at, more = PLAIN_FORMAT.write(answer, texts)
        events = [carry(b'42["%b",%b]' % (p.type.encode(), p.text)) for p in payloads]
        return b"".join(events), at, more  # the plain format has one payload at most

    def gap(welcome: Welcome) -> Iterable[bytes]:
        told = welcome.asked and not welcome.resumed
        return (carry(event_of("resumed", {"resumed": False})),) if told else ()

    return Encoding(name, True, PLAIN_FORMAT.text, write, gap, None)


SOCKET_IO_WEBSOCKET = _carried("Socket.IO", frame)
SOCKET_IO_DEFLATED = _carried("Socket.IO, deflated", deflated_frame)
SOCKET_IO_POLL = _carried("Socket.IO poll", lambda packet: packet)
"""A message is one packet, whose pieces the poll joins."""
