"""The sieve for MQTT: what it passes on, what it cuts, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamd.sources.brokers.mqtt_packets import (
    MAX_BODY,
    MAX_CONTROL,
    PROOF,
    NotMqtt,
    PacketSieve,
)


def number(value: int) -> bytes:
    """A number of variable length."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def packet(first: int, *parts: bytes) -> bytes:
    rest = b"".join(parts)
    return bytes([first]) + number(len(rest)) + rest


def message(body: bytes, properties: bytes | None = b"", qos: int = 0, mid: int = 1) -> bytes:
    """A message of the topic `t/a`; without properties for MQTT 3.1.1."""
    about = b"" if properties is None else number(len(properties)) + properties
    ident = mid.to_bytes(2, "big") if qos else b""
    return packet(0x30 | qos << 1, b"\0\x03t/a", ident, about, body)


@given(st.lists(st.integers(0, 60)))
def test_whole_packets_of_any_pieces(cuts: list[int]) -> None:
    kept = [packet(0x20, b"\0\0\0"), packet(0xD0), packet(0x90, b"\0\x01\0" + b"\1" * 200)]
    data = b"".join([*kept, message(b"1", b"\x26" + b"x" * 300), message(b"2" * 200, qos=1)])
    wanted = b"".join([*kept, message(b"1"), message(b"2" * 200, qos=1)])
    sieve, found = PacketSieve(five=True), b""
    for size in [*cuts, len(data)]:
        found += sieve.take(data[:size])
        data = data[size:]
    assert found == wanted


@pytest.mark.parametrize("five", [False, True])
@pytest.mark.parametrize("size", [MAX_BODY, MAX_BODY + 1, 3 * MAX_BODY])
def test_a_message_that_is_too_long_is_cut(size: int, five: bool) -> None:
    none = b"" if five else None
    after = packet(0xD0)
    found = PacketSieve(five).take(message(b"x" * size, none, 1) + after)
    assert found == message(b"x" * MAX_BODY, none, 1) + after


def test_properties_whose_reading_would_take_minutes_are_left_out() -> None:
    properties = b"\x26\0\x01k\0\x01v" * 2**17
    assert PacketSieve(five=True).take(message(b"1", properties)) == message(b"1")


@pytest.mark.parametrize(
    "data",
    [
        b"\x20\xff\xff\xff\x7f",  # it announces 256 MiB
        b"\x30\xff\xff\xff\xff",
        packet(0x20, b"x" * (MAX_CONTROL + 1)),
        packet(0x30, b"\xff\xff\0"),
        packet(0x30, b"\0\x01t", b"\x7f", b"x"),
        message(b"1", qos=2),
        message(b"1", qos=3),
    ],
    ids=["length", "number", "control", "topic", "properties", "qos 2", "qos 3"],
)
def test_what_no_broker_may_send(data: bytes) -> None:
    with pytest.raises(NotMqtt):
        PacketSieve(five=True).take(data)


@pytest.mark.parametrize(
    "announced", [b"\x30\xff\xff\xff\x7f\0\x01t\0", b"\x30\xff\xff\x7f\xff\xff"]
)
def test_a_long_packet_proves_that_the_broker_lives_and_a_drip_does_not(announced: bytes) -> None:
    sieve = PacketSieve(five=True)
    assert sieve.take(announced.ljust(PROOF, b"x")) == packet(0xD0)
    for _ in range(2):
        assert sieve.take(b"x" * (PROOF - 1)) == b""
        assert sieve.take(b"x") == packet(0xD0)


def test_what_is_dropped_is_not_kept() -> None:
    sieve = PacketSieve(five=True)
    sieve.take(b"\x30\xff\xff\xff\x7f\0\x01t\xff\xff\xff\x3f")
    for _ in range(3):
        sieve.take(b"x" * 2**20)
        assert not sieve._waiting
