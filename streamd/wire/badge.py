"""Badges: a small SVG image with a label and a message, such as ``orders | 42``.

The image contains no script, no style sheet and no font.  The text is its accessible name.
"""

from __future__ import annotations

import re
from unicodedata import bidirectional, category, east_asian_width
from xml.sax.saxutils import escape, quoteattr

from streamd.core.one_line import single

MAX_LABEL, MAX_MESSAGE = 40, 60
"""The most characters of the two halves.  The accessible name has the whole line."""

HEIGHT, PADDING, SIZE = 20, 6, 11
"""Pixels: of the badge, beside each text, and of the font."""

COLOURS = {
    "ok": "#1b6e3c",
    "warning": "#8a5300",
    "critical": "#b3261e",
    "late": "#5f6368",
    "failed": "#8c1d40",
}
"""Condition -> the background of the message.  White text on each has a contrast of 5 or more, beyond
the 4.5 of WCAG 2 (success criterion 1.4.3).  The message also says the condition in words."""

_LABEL_COLOUR = "#2f3337"

_NOT_XML = re.compile("[\ufffe\uffff]")
"""Characters that XML 1.0 does not allow, apart from control characters."""


def badge(label: str, message: str, condition: str, about: str) -> bytes:
    """Return a badge as an SVG image.

    :param label: the left half, cut to :data:`MAX_LABEL` characters.
    :param message: the right half, cut to :data:`MAX_MESSAGE` characters.
    :param condition: a key of :data:`COLOURS`.
    :param about: the whole text, for screen readers and as a tooltip.
    """
    label, message = _allowed(single(label, MAX_LABEL)), _allowed(single(message, MAX_MESSAGE))
    about = _allowed(about)
    left, right = width(label) + 2 * PADDING, width(message) + 2 * PADDING
    whole = left + right
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{HEIGHT}"'
        f' viewBox="0 0 {whole} {HEIGHT}" role="img" aria-label={quoteattr(about)}>'
        f"<title>{escape(about)}</title>"
        f'<rect width="{whole}" height="{HEIGHT}" rx="3" fill="{_LABEL_COLOUR}"/>'
        f'<path d="{_right_half(left, right)}" fill="{COLOURS[condition]}"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="{SIZE}">'
        f"{_text(label, PADDING)}{_text(message, left + PADDING)}</g></svg>\n"
    ).encode()


_ADVANCES = {
    character: pixels
    for characters, pixels in {
        "ijl'": 3.2,
        " .,·!ft": 4.1,
        "rI:;|()[]-/": 4.9,
        "0123456789": 7.0,
        "wM…": 9.1,
        "mW@": 10.8,
        "%": 11.8,
    }.items()
    for character in characters
}
"""Pixels of the characters of Verdana, at :data:`SIZE`, that differ much from the others."""


def width(text: str) -> int:
    """Return the pixels that a text gets; ``textLength`` fits any font into them."""
    return round(sum(map(_advance, text)))


def _advance(character: str) -> float:
    """Return about the pixels of a character in Verdana at :data:`SIZE`."""
    if category(character) in (
        "Mn",
        "Me",
        "Cf",
    ):  # accents, vowel signs, joiners: drawn over others
        return 0.0
    if east_asian_width(character) in "WF":
        return 11.0
    if bidirectional(character) in ("R", "AL"):  # Hebrew and Arabic letters are narrow
        return 5.5
    return _ADVANCES.get(character, 7.5 if character.isupper() else 6.7)


def _text(text: str, x: int) -> str:
    return (
        f'<text x="{x}" y="14" textLength="{width(text)}" lengthAdjust="spacingAndGlyphs">'
        f"{escape(text)}</text>"
    )


def _right_half(left: int, right: int) -> str:
    """Return the outline of the message's background: only its right corners are round."""
    return f"M{left} 0h{right - 3}a3 3 0 0 1 3 3v{HEIGHT - 6}a3 3 0 0 1-3 3H{left}z"


def _allowed(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
