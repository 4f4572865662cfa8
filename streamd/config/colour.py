"""Colours, and the accent of a wall: a colour for data that cannot be mistaken for a warning.  Pure."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from streamd.core.parsed_text import ParsedText


class Colour(str):
    """An sRGB colour, written ``"#7cc7b2"``."""

    _FORM = re.compile("#[0-9a-f]{6}")

    @classmethod
    def parse(cls, written: Any) -> Colour:
        lower = written.lower() if isinstance(written, str) else ""
        if not cls._FORM.fullmatch(lower):
            raise ValueError('expected a colour such as "#7cc7b2"')
        return cls(lower)

    @property
    def linear(self) -> tuple[float, float, float]:
        """The linear red, green and blue, from 0 to 1 (IEC 61966-2-1)."""
        red, green, blue = (int(self[at : at + 2], 16) / 255 for at in (1, 3, 5))
        return _linear(red), _linear(green), _linear(blue)


class Theme(NamedTuple):
    """The colours of ``web/wall/theme.css`` that an accent is compared with."""

    ground: Colour
    warn: Colour
    critical: Colour


THEMES = {
    "dark": Theme(Colour("#141210"), Colour("#ffb224"), Colour("#ff5c49")),
    "light": Theme(Colour("#f6f2ea"), Colour("#8a5a00"), Colour("#c8281a")),
}
"""The themes of the page; a test compares them with the style sheet."""

CONTRAST = 4.5
"""The least contrast of an accent to the ground: data is text, too (WCAG 2.2, 1.4.3)."""

NEAR = math.radians(25)
"""The least angle between the hues of an accent and a warning.  Red and amber are 46 degrees apart."""

GREY = 0.03
"""The chroma up to which a colour has no hue that anybody would see."""


_BOTH = 'expected a colour for each theme: { dark = "#7cc7b2", light = "#1f6e5c" }'


class Accent(ParsedText):
    """The colour of a wall's data: one, or one for each theme.

    :ivar colours: the colours by theme; a single colour has the key ``""``.
    """

    def __init__(self, colours: dict[str, Colour]) -> None:
        self.colours = colours

    def __hash__(self) -> int:
        return hash(tuple(self.colours.items()))

    @classmethod
    def parse(cls, written: Any) -> Accent:
        if not isinstance(written, dict):
            return cls({"": Colour.parse(written)})
        if not written or not written.keys() <= THEMES.keys():
            raise ValueError('expected a colour, or { dark = "#7cc7b2", light = "#1f6e5c" }')
        return cls({theme: Colour.parse(colour) for theme, colour in written.items()})

    def of(self, theme: str) -> dict[str, Colour]:
        """Return the colours that a wall uses, by theme.

        :param theme: the theme of the wall; ``"auto"`` needs both.
        :raises ValueError: the message says which colour is missing, too pale, or like a warning.
        """
        if theme == "auto" and "" in self.colours:  # no colour has enough contrast to both grounds
            raise ValueError(_BOTH)
        found = {}
        for name in THEMES if theme == "auto" else (theme,):
            colour = self.colours.get(name) or self.colours.get("")
            if colour is None:
                raise ValueError(f"expected a colour for the theme {name}")
            _check(colour, name, THEMES[name])
            found[name] = colour
        return found


def _check(colour: Colour, name: str, theme: Theme) -> None:
    found = contrast(colour, theme.ground)
    if found < CONTRAST:
        raise ValueError(
            f"{colour} has a contrast of {found:.1f} to the ground {theme.ground} of the theme "
            f"{name}, expected at least {CONTRAST}"
        )
    for level in ("warn", "critical"):
        if looks_like(colour, getattr(theme, level)):
            raise ValueError(f"{colour} could be mistaken for {level}, {getattr(theme, level)}")


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def looks_like(one: Colour, other: Colour) -> bool:
    """Return whether two colours have nearly the same hue."""
    (chroma, hue), (_, wanted) = _chroma_and_hue(one), _chroma_and_hue(other)
    apart = abs((hue - wanted + math.pi) % math.tau - math.pi)
    return chroma > GREY and apart < NEAR


def _luminance(colour: Colour) -> float:
    red, green, blue = colour.linear
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _chroma_and_hue(colour: Colour) -> tuple[float, float]:
    """Return the chroma and the hue in radians in Oklab (Björn Ottosson, 2020; CSS Color 4)."""
    red, green, blue = colour.linear
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return math.hypot(a, b), math.atan2(b, a)
