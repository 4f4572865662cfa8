"""Decodes the answers of HTTP servers into values, or raises errors with a clear reason.  Pure."""

from __future__ import annotations

import codecs
import json
import re
import zlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from streamd.core.errors import shorten
from streamd.core.values import BadValue
from streamd.sources.errors import SourceError

MAX_BODY = 2**20
"""The most bytes of an answer, both compressed and decompressed."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins with the BOM of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_NO_CHARSETS = frozenset(("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"))
"""Codecs of Python that are no charsets.  Punycode would take minutes for a megabyte."""

_CHARSET = re.compile(r"""charset\s*=\s*"?([^\s";]+)""", re.IGNORECASE)


class TooLong(SourceError):
    """The answer is longer than :data:`MAX_BODY`."""

    def __init__(self) -> None:
        super().__init__(f"the answer is longer than {MAX_BODY // 2**20} MiB")


def read_json(data: bytes, content_type: str = "", encoding: str = "") -> Any:
    """Decode the JSON in the body of an answer.

    NaN and Infinity, which JSON does not have, become :class:`BadValue`.

    :param content_type: the header ``Content-Type``; its charset counts unless the body has a BOM.
    :param encoding: the header ``Content-Encoding``.
    :raises SourceError: if the body is not JSON; the message names its apparent type.
    """
    text = _text(_plain(data, encoding), content_type)
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    try:
        return json.loads(text, parse_constant=lambda name: BadValue(f"{name} is no JSON number"))
    except (ValueError, RecursionError):
        raise SourceError(_other(text, content_type)) from None


def _plain(data: bytes, encoding: str) -> bytes:
    """Decompress a body (RFC 9110, section 8.4.1)."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return data
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise SourceError(f"the answer is compressed as {shorten(encoding)}, not as gzip")
    try:
        # 32 + the window's 15 bits: zlib recognizes gzip and zlib formats by itself.
        unpacking = zlib.decompressobj(32 + zlib.MAX_WBITS)
        plain = unpacking.decompress(data, MAX_BODY + 1)
        if len(plain) > MAX_BODY:
            raise TooLong
        if not unpacking.eof:
            raise zlib.error
    except zlib.error:
        raise SourceError(f"the answer is not {encoding}, although its header says so") from None
    return plain


def _text(data: bytes, content_type: str) -> str:
    named = _CHARSET.search(content_type)
    charset = named[1] if named else "utf-8"
    for bom, marked in _BOMS:
        if data.startswith(bom):
            data, charset = (data[3:], marked) if marked == "utf-8" else (data, marked)
            break
    try:
        if codecs.lookup(charset).name.replace("_", "-") in _NO_CHARSETS:
            raise LookupError
        return data.decode(charset)
    except LookupError:
        raise SourceError(f"the answer has the unknown charset {shorten(charset)}") from None
    except UnicodeError:
        raise SourceError(f"the answer is not text in {charset}") from None


def _other(text: str, content_type: str) -> str:
    """Return the error message for a text that is not JSON: what the text seems to be."""
    begin = text.strip()[:200]
    if not begin:
        return "the answer is empty"
    if "html" in content_type.lower() or re.match(r"<(!doctype|html)", begin, re.IGNORECASE):
        return "the answer is an HTML page, not JSON"
    if begin.startswith("<"):
        return "the answer is XML, not JSON"
    return f"the answer is not JSON: it begins with {shorten(begin)}"


def seconds_to_wait(retry_after: str, now: float) -> float:
    """Return the seconds that a header ``Retry-After`` asks to wait (RFC 9110, section 10.2.3).

    :param now: seconds since the epoch, because the header may contain a date.
    :returns: 0 if the header is missing or malformed.
    """
    if re.fullmatch("[0-9]+", retry_after):
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return max(0.0, (date - datetime.fromtimestamp(now, UTC)).total_seconds())
