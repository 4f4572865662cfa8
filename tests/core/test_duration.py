"""Durations as people write them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.duration import Duration, parse_duration


class DurationTests(SynchronousTestCase):
    def test_durations(self) -> None:
        for text, seconds in (
            ("500ms", 0.5),
            ("5s", 5),
            ("1.5s", 1.5),
            ("2m", 120),
            ("24h", 86400),
            ("7d", 604800),
            ("0s", 0),
        ):
            self.assertAlmostEqual(seconds, parse_duration(text))

    def test_invalid_duration(self) -> None:
        for text in ("", "5", "s", "-5s", "5 s", "1e3s", ".5s", "5.s", "5S", "٥s", "9" * 30 + "s"):
            error = self.assertRaises(ValueError, parse_duration, text)
            self.assertIn("with the unit ms, s, m, h or d", str(error))

    def test_a_setting_is_a_text_of_more_than_no_time(self) -> None:
        self.assertEqual(0.5, Duration.parse("500ms"))
        for written in (5, "0s", "0.0d", None, True):
            self.assertRaises(ValueError, Duration.parse, written)
