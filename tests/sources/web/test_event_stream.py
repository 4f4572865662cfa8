"""Bytes become events as browsers read them, at every cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamd.sources.errors import SourceError
from streamd.sources.web.event_stream import MAX_EVENT, MAX_ID, Event, EventParser


def parsed(text: bytes) -> list[Event]:
    return EventParser().received(text)


@pytest.mark.parametrize(
    ("text", "events"),
    [
        (b"data: 7\n\n", [Event("message", b"7", "")]),
        (b"\xef\xbb\xbfdata:7\n\n", [Event("message", b"7", "")]),
        (b"data: a\ndata\ndata:  b\n\n", [Event("message", b"a\n\n b", "")]),
        (b"event: price\nid: 4\ndata: 7\n\n", [Event("price", b"7", "4")]),
        (b"event: price\n\ndata: 7\n\n", [Event("message", b"7", "")]),
        (b": life\n:\n\nid: 1\n\ndata: 7\n\n", [Event("message", b"7", "1")]),
        (
            b"id: 1\ndata: a\n\nid\ndata: b\n\n",
            [Event("message", b"a", "1"), Event("message", b"b", "")],
        ),
        (b"id: 1\nid: 2\0\ndata: a\n\n", [Event("message", b"a", "1")]),
        (b"id: 1\nid: %b\ndata: a\n\n" % (b"2" * (MAX_ID + 1)), [Event("message", b"a", "1")]),
        (b"unknown: 1\nDATA: 2\ndata: 3\n\n", [Event("message", b"3", "")]),
        (b"data: not ended\n", []),
        (b"data: not ended", []),
    ],
)
def test_events(text: bytes, events: list[Event]) -> None:
    for end in (b"\n", b"\r", b"\r\n"):
        assert parsed(text.replace(b"\n", end)) == events


TEXT = b"\xef\xbb\xbfid: 1\r\ndata: a\r\ndata: b\r\rdata: c\n\n: life\r\n\r\n"
TEXT += b"retry: 50\nevent: x\ndata\r\n\r\n"


@given(st.lists(st.integers(0, len(TEXT))))
def test_every_cut_gives_the_same(cuts: list[int]) -> None:
    parser = EventParser()
    places = [0, *sorted(cuts), len(TEXT)]
    pieces = [TEXT[a:b] for a, b in pairwise(places)]
    found = [event for piece in pieces for event in parser.received(piece)]
    assert found == [
        Event("message", b"a\nb", "1"),
        Event("message", b"c", "1"),
        Event("x", b"", "1"),
    ]
    assert parser.retry == 0.05


@pytest.mark.parametrize(
    "text", [b"retry: 1s\n", b"retry: -1\n", b"retry\n", b"retry: 9999999999\n"]
)
def test_invalid_pause(text: bytes) -> None:
    parser = EventParser()
    parser.received(text)
    assert parser.retry is None


@pytest.mark.parametrize("line", [b"x", b"data: x\n"])
def test_an_event_is_bounded(line: bytes) -> None:
    def read_on() -> None:
        parser = EventParser()
        for _ in range(10 * MAX_EVENT // 1000):
            parser.received(line * 1000)

    with pytest.raises(SourceError, match="an event is longer than 1 MiB"):
        read_on()
