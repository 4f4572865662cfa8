"""Makes text from outside safe for a terminal or a log: it cannot move the cursor or forge a line."""

from __future__ import annotations

import re

# C0, DEL and C1; the line and paragraph separators; the marks and overrides that reorder a line
# (Unicode's UAX #9, "Trojan Source").
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

# A password may hold "/" if it was written without escapes; a port is digits alone.
_PASSWORD = re.compile(r"(?<=://)([^\s/:@]*):(?![0-9]+(?:/|$))[^\s@]+@")


def printable(text: str) -> str:
    r"""Return the text with control characters and bidi overrides as escapes, such as ``\x1b``."""
    return _UNPRINTABLE.sub(lambda found: _escape(found[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def without_passwords(text: str) -> str:
    """Return the text without the passwords in its URLs: ``postgresql://wall:…@db/shop``."""
    return _PASSWORD.sub(r"\1:…@", text)
