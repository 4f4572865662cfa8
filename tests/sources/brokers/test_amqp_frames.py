"""The sieve: what it passes on of what a broker sends, and what it makes shorter."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import frame, spec
from pika.exceptions import InvalidFieldTypeException

from streamd.sources.brokers.amqp_frames import MAX_BODY, MAX_FRAME, NotAmqp, Sieve

PART = MAX_FRAME - 8


def message(size: int, **properties: Any) -> list[bytes]:
    """The frames of a message with a body of this many bytes."""
    deliver = spec.Basic.Deliver("tag", 1, False, "x", "key")
    about = spec.BasicProperties(**properties)
    parts = [frame.Body(1, b"x" * min(PART, size - at)) for at in range(0, size, PART)]
    return [
        each.marshal() for each in (frame.Method(1, deliver), frame.Header(1, size, about), *parts)
    ]


def decoded(frames: Iterable[bytes]) -> list[Any]:
    found = []
    for data in frames:
        used, value = frame.decode_frame(data)
        assert used == len(data)
        found.append(value)
    return found


@given(st.lists(st.integers(0, 200)))
def test_whole_frames_of_any_pieces(cuts: list[int]) -> None:
    sent = [*message(7), frame.Heartbeat().marshal(), *message(0), *message(300)]
    data, sieve = b"".join(sent), Sieve()
    found: list[bytes] = []
    for size in [*cuts, len(data)]:
        found += sieve.take(data[:size])
        data = data[size:]
    assert found == sent


@pytest.mark.parametrize("size", [0, MAX_BODY - 1, MAX_BODY, MAX_BODY + 1, 3 * MAX_BODY])
def test_a_message_that_is_too_long_is_cut(size: int) -> None:
    sieve = Sieve()
    for _ in range(2):
        method, header, *parts = decoded(sieve.take(b"".join(message(size))))
        assert method.method.routing_key == "key"
        assert header.body_size == min(size, MAX_BODY)
        assert sum(len(part.fragment) for part in parts) == min(size, MAX_BODY)


@pytest.mark.parametrize(
    ("properties", "kept"),
    [
        ({}, False),
        ({"delivery_mode": 1}, False),
        ({"delivery_mode": 2}, True),
        ({"delivery_mode": 2, "content_type": "a" * 200, "content_encoding": ""}, True),
        ({"delivery_mode": 2, "headers": {"at": datetime(2026, 1, 1)}, "priority": 7}, True),
        ({"delivery_mode": 2, "headers": {"x-stream-offset": 7}}, False),
        ({"headers": {"a": "b"}, "priority": 2}, False),
    ],
)
def test_properties_are_left_out(properties: Any, kept: bool) -> None:
    sieve = Sieve()
    _, header, _ = decoded(sieve.take(b"".join(message(5, **properties))))
    assert header.properties == spec.BasicProperties()
    assert sieve.kept is kept


def test_properties_that_pika_cannot_read() -> None:
    # A field table with one field of an unknown type.
    table = b"\x01a?"
    payload = struct.pack(">HHQHL", 60, 0, 0, 1 << 13, len(table)) + table
    data = struct.pack(">BHL", 2, 1, len(payload)) + payload + b"\xce"
    with pytest.raises(InvalidFieldTypeException):
        frame.decode_frame(data)
    [header] = decoded(Sieve().take(data))
    assert header.body_size == 0


def test_a_goodbye() -> None:
    sieve = Sieve()
    close = spec.Connection.Close(403, "ACCESS_REFUSED - größer", 0, 0)
    data = frame.Method(0, close).marshal()
    assert [*sieve.take(data)] == [data]
    assert sieve.goodbye == (403, "ACCESS_REFUSED - größer")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request",
        b"AMQP\0\0\x09\x01",
        struct.pack(">BHL", 1, 0, MAX_FRAME),
        struct.pack(">BHL", 8, 0, 0) + b"x",
        struct.pack(">BHL", 2, 1, 2) + b"xx\xce",
        struct.pack(">BHLHHQH", 2, 1, 14, 60, 0, 0, 1 << 15) + b"\xce",
    ],
)
def test_what_is_not_amqp(data: bytes) -> None:
    with pytest.raises(NotAmqp):
        list(Sieve().take(data))
