"""Colours, and accents that can be read and are not mistaken for a warning."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.config.colour import CONTRAST, THEMES, Accent, Colour, contrast, looks_like
from tests.support.daemon import CHECKOUT

BLACK, WHITE = Colour("#000000"), Colour("#ffffff")


class ColourTests(SynchronousTestCase):
    def test_form(self) -> None:
        self.assertEqual("#7cc7b2", Colour.parse("#7CC7B2"))
        for written in ("#fff", "7cc7b2", "#7cc7b2ff", "teal", "#7cc7b2\n", "", 5, None):
            self.assertRaises(ValueError, Colour.parse, written)

    def test_contrast(self) -> None:
        self.assertAlmostEqual(21, contrast(BLACK, WHITE))
        self.assertAlmostEqual(1, contrast(WHITE, WHITE))
        # WCAG's own example of a grey that is just dark enough on white.
        self.assertAlmostEqual(4.54, contrast(Colour("#767676"), WHITE), 2)

    @given(st.integers(0, 0xFFFFFF), st.integers(0, 0xFFFFFF))
    def test_contrast_is_symmetric_and_bounded(self, one: int, other: int) -> None:
        first, second = Colour(f"#{one:06x}"), Colour(f"#{other:06x}")
        self.assertEqual(contrast(first, second), contrast(second, first))
        self.assertTrue(1 <= contrast(first, second) <= 21.001)

    def test_hues(self) -> None:
        amber, red = THEMES["dark"].warn, THEMES["dark"].critical
        for like in ("#ff8800", "#ffe000", "#8a5a00"):
            self.assertTrue(looks_like(Colour(like), amber), like)
        for like in ("#c8281a", "#ff7070"):
            self.assertTrue(looks_like(Colour(like), red), like)
        for other in ("#7cc7b2", "#6ab0ff", "#a259ff", "#9acd32", "#b0a799", "#808080"):
            self.assertFalse(looks_like(Colour(other), amber), other)
            self.assertFalse(looks_like(Colour(other), red), other)


class ThemeTests(SynchronousTestCase):
    def test_themes_are_those_of_the_page(self) -> None:
        css = (CHECKOUT / "web" / "wall" / "theme.css").read_text()
        dark, light = css.partition('[data-theme="light"]')[::2]
        for name, text in (("dark", dark), ("light", light)):
            for key, colour in THEMES[name]._asdict().items():
                [found] = re.findall(rf"--{key}: (#\w+);", text)
                self.assertEqual(colour, found)

    def test_own_data_of_the_themes_would_do(self) -> None:
        both = {"dark": "#7cc7b2", "light": "#1f6e5c"}
        self.assertEqual(both, Accent.parse(both).of("auto"))


class AccentTests(SynchronousTestCase):
    def check(self, accent: object, theme: str, words: str) -> None:
        error: ValueError = self.assertRaises(ValueError, Accent.parse(accent).of, theme)
        self.assertIn(words, str(error))

    def test_form(self) -> None:
        self.assertEqual(Accent.parse("#6ab0ff"), Accent.parse("#6AB0FF"))
        self.assertEqual(hash(Accent.parse("#6ab0ff")), hash(Accent.parse("#6AB0FF")))
        for written in ("blue", {}, {"pale": "#6ab0ff"}, {"dark": "blue"}, 5):
            self.assertRaises(ValueError, Accent.parse, written)

    def test_one_colour_is_that_of_the_theme(self) -> None:
        self.assertEqual({"dark": "#6ab0ff"}, Accent.parse("#6ab0ff").of("dark"))
        self.assertEqual({"light": "#0066cc"}, Accent.parse("#0066cc").of("light"))

    def test_changing_theme_needs_two(self) -> None:
        self.check("#6ab0ff", "auto", "a colour for each theme")
        self.check({"dark": "#6ab0ff"}, "auto", "expected a colour for the theme light")
        self.check({"dark": "#6ab0ff"}, "light", "expected a colour for the theme light")

    def test_colour_that_cannot_be_read(self) -> None:
        words = "has a contrast of 3.4 to the ground #141210 of the theme dark"
        self.check("#0066cc", "dark", f"{words}, expected at least {CONTRAST}")

    def test_colour_like_a_warning(self) -> None:
        self.check("#ff8800", "dark", "could be mistaken for warn")
        self.check("#ff7070", "dark", "could be mistaken for critical")
