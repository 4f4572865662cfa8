"""The head of a request, if it came in one piece and all HTTP parsers understand it alike.  Pure."""

from __future__ import annotations

FIELDS = rb"((?:[!#-'*+.0-9A-Z^-z|~-]+:[\t -~]*\r\n)+)\r\n"
"""Matches the header lines and the empty line after them: printable ASCII, no folded lines."""

MAX_HEADERS = 500
"""The most headers, as ``twisted.web`` bounds them."""


def headers_in(fields: bytes) -> dict[str, str] | None:
    """Return the headers in lines that match :data:`FIELDS`, with their names in lower case.

    :returns: None if a header occurs twice, or if there are too many: then the HTTP parser must
        decide.
    """
    lines = [line.split(":", 1) for line in fields.decode("ascii").splitlines()]
    headers = {name.lower(): value.strip() for name, value in lines}
    return headers if len(headers) == len(lines) <= MAX_HEADERS else None


def is_ambiguous(line: bytes) -> bool:
    """Return whether a proxy may understand a header line differently from ``twisted.web``.

    Twisted before 26.10 takes a carriage return for a part of the value (RFC 9110, section 5.5).  All
    versions let ``identity`` stand beside ``chunked``, where a proxy may see another end of the body
    (RFC 9112, section 6.1).
    """
    name, _, value = line.partition(b":")
    is_coded = name.lower() == b"transfer-encoding" and value.strip().lower() != b"chunked"
    return is_coded or b"\r" in line
