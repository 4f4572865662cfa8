"""Makes text from outside safe for a terminal or a log: it cannot move the cursor or forge a line."""

from __future__ import annotations

import re

# C0, DEL and C1; the line and paragraph separators; the marks and overrides that reorder a line
# (Unicode's UAX #9, "Trojan Source"); surrogates, which no output can encode.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

# Bounded, so that a long text takes linear time.  A password may hold "/" and "@" if it was written
# without escapes; a port is digits alone.
_PASSWORD = re.compile(r"(?<=://)([^\s/:@]*):(?![0-9]+(?:[/?#]|$))\S{1,512}@")

# In the query of an address, or in a connection string of libpq: ``password=…``.
_PARAMETER = re.compile(
    r"\b((?:password|passwd|pwd|secret|token|api_?key)=)('[^']{0,512}'|\"[^\"]{0,512}\"|[^\s&;,'\")]+)",
    re.IGNORECASE,
)


def printable(text: str) -> str:
    r"""Return the text with control characters and bidi overrides as escapes, such as ``\u001b``.

    In a text of JSON or TOML the escapes mean the same characters.
    """
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def without_passwords(text: str) -> str:
    """Return the text without the passwords in its addresses: ``postgresql://wall:…@db/shop``."""
    return _PARAMETER.sub(r"\1…", _PASSWORD.sub(r"\1:…@", text))


def showable(text: str) -> str:
    """Return the text of an error as a log, a terminal or a wall may show it, on one line."""
    return without_passwords(printable(text))
