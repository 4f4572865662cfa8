"""A badge is well-formed, tells a screen reader everything, and can be read by everybody."""

from __future__ import annotations

from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from streamd.wire.badge import COLOURS, HEIGHT, MAX_LABEL, MAX_MESSAGE, badge, width

SVG = "{http://www.w3.org/2000/svg}"


def texts(image: bytes) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(image).iter(f"{SVG}text")]


class BadgeTests(SynchronousTestCase):
    def test_label_message_and_name(self) -> None:
        image = badge("orders", "42 /min", "ok", "Orders: 42 /min")
        root = ElementTree.fromstring(image)
        self.assertEqual(["orders", "42 /min"], texts(image))
        self.assertEqual(("img", "Orders: 42 /min"), (root.get("role"), root.get("aria-label")))
        self.assertEqual(["Orders: 42 /min"], [title.text for title in root.iter(f"{SVG}title")])
        self.assertEqual(str(HEIGHT), root.get("height"))
        for forbidden in (b"<script", b"<style", b"style=", b"href", b"url(", b"<image"):
            self.assertNotIn(forbidden, image)

    def test_hostile_texts(self) -> None:
        hostile = "\"'><script>&amp;]]>\x00\x1b\u202e\ufffe\uffff\ud800"
        image = badge(hostile, hostile, "failed", "\"'><script>&\ufffe")
        root = ElementTree.fromstring(image)  # an error if it is not XML
        shown = "\"'><script>&amp;]]>\\u0000\\u001b\\u202e\ufffd\ufffd\\ud800"
        self.assertEqual(shown[: MAX_LABEL - 1] + "…", texts(image)[0])
        self.assertEqual(shown, texts(image)[1])
        self.assertEqual("\"'><script>&\ufffd", root.get("aria-label"))
        self.assertFalse(list(root.iter(f"{SVG}script")))

    def test_long_texts_are_cut_and_the_badge_is_as_wide_as_both(self) -> None:
        image = badge("W" * 1000, "日" * 1000, "late", "x")
        self.assertEqual([MAX_LABEL, MAX_MESSAGE], [len(text) for text in texts(image)])
        root = ElementTree.fromstring(image)
        ends = [
            float(text.get("x", "")) + float(text.get("textLength", ""))
            for text in root.iter(f"{SVG}text")
        ]
        self.assertLess(ends[0], float(list(root.iter(f"{SVG}text"))[1].get("x", "")))
        self.assertLess(ends[1], float(root.get("width", "")))

    def test_widths(self) -> None:
        self.assertLess(width("iiii"), width("nnnn"))
        self.assertLess(width("nnnn"), width("mmmm"))
        self.assertEqual(width("e"), width("e\u0301"))
        self.assertEqual(width("\u0e17"), width("\u0e17\u0e35\u0e48"))  # vowel and tone of Thai
        self.assertLess(width("\u05d0" * 9), width("n" * 9))  # Hebrew

    def test_widths_are_near_those_of_verdana(self) -> None:
        # The sums of its advances, in units of which 2048 are the size of the font.
        for text, units in (("failed", 5570), ("late · 42", 8608), ("1,234.5", 8000)):
            self.assertLess(abs(width(text) / (units * 11 / 2048) - 1), 0.08, text)

    def test_white_text_has_enough_contrast(self) -> None:
        for name, colour in COLOURS.items():
            parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
            linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
            light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
            self.assertGreaterEqual(1.05 / (light + 0.05), 5, name)
