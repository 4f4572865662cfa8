"""The error that a browser or a publisher may read."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused, shorten


class RefusedTests(SynchronousTestCase):
    def test_its_text_is_the_message_alone(self) -> None:
        refused = Refused(404, "unknown-stream", "there is no stream orders")
        self.assertEqual("there is no stream orders", str(refused))
        self.assertEqual((404, "unknown-stream"), (refused.status, refused.code))


class ShortenTests(SynchronousTestCase):
    def test_control_characters_are_escaped(self) -> None:
        self.assertEqual('"a\\u202e\\n"', shorten("a\u202e\n"))

    def test_a_long_text_keeps_its_ends(self) -> None:
        text = "begin" + "x" * 1000 + "end"
        short = shorten(text)
        self.assertTrue(short.startswith('"begin') and short.endswith('end"'), short)
        self.assertLess(len(short), 45)

    def test_a_text_that_fits_stays_whole(self) -> None:
        self.assertEqual('"' + "x" * 40 + '"', shorten("x" * 40))
