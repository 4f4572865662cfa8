"""Bodies of HTTP answers: JSON in every dress, and a reason of its own for everything else."""

from __future__ import annotations

import gzip
import math
import zlib
from typing import Any

import pytest

from streamd.core.values import BadValue
from streamd.sources.errors import SourceError
from streamd.sources.web.http_answer import MAX_BODY, read_json, seconds_to_wait


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ((b"7",), 7),
        ((b"\xef\xbb\xbf7",), 7),
        (('"ä"'.encode("utf-16"),), "ä"),
        (('"ä"'.encode("latin-1"), "application/json; charset=ISO-8859-1"), "ä"),
        (('"ä"'.encode(), 'application/json; Charset="utf-8"'), "ä"),
        ((gzip.compress(b"7"), "", "gzip"), 7),
        ((zlib.compress(b"7"), "", "Deflate"), 7),
        ((b"7", "", "identity"), 7),
    ],
)
def test_values(answer: tuple[Any, ...], value: object) -> None:
    assert read_json(*answer) == value


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((b"",), "the answer is empty"),
        ((b" <!DOCTYPE html>",), "the answer is an HTML page, not JSON"),
        ((b"Login", "text/html"), "the answer is an HTML page, not JSON"),
        ((b"<?xml",), "the answer is XML, not JSON"),
        ((b"sorry, no",), 'the answer is not JSON: it begins with "sorry, no"'),
        ((b"a\x1b[2J",), 'the answer is not JSON: it begins with "a\\u001b[2J"'),
        ((b'"\xe9"',), "the answer is not text in utf-8"),
        ((b"7", "text/json; charset=klingon"), 'the answer has the unknown charset "klingon"'),
        # Codecs that are no charsets: punycode would block the daemon for minutes.
        (
            (b"a" * 2**20, "text/json; charset=punycode"),
            'the answer has the unknown charset "punycode"',
        ),
        ((b"7", "a/b; charset=rot13"), 'the answer has the unknown charset "rot13"'),
        ((b"7", "", "br"), 'the answer is compressed as "br", not as gzip'),
        ((b"7", "", "gzip"), "the answer is not gzip, although its header says so"),
        (
            (gzip.compress(b" " * (MAX_BODY + 1)), "", "gzip"),
            "the answer is longer than 1 MiB",
        ),
    ],
)
def test_reasons(answer: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(SourceError) as caught:
        read_json(*answer)
    assert caught.value.message == reason


def test_nan_fails_alone() -> None:
    value = read_json(b'{"a": NaN, "b": -Infinity, "c": 1}')
    assert value.pop("c") == 1
    assert all(isinstance(bad, BadValue) for bad in value.values())
    assert value["b"].reason == "-Infinity is no JSON number"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("120", 120.0),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("9" * 20, 1e20),
        ("soon", 0.0),
        ("", 0.0),
        ("-1", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 -0500", 0.0),
    ],
)
def test_pauses(written: str, seconds: float) -> None:
    assert math.isclose(seconds_to_wait(written, 100.0), seconds)
