"""What others wrote does nothing to a terminal, and tells no password."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.printable import printable, without_passwords


class PrintableTests(SynchronousTestCase):
    def test_ordinary_texts_stay(self) -> None:
        for text in ("", "Käse 50 % – 🍰", "日本語", "עברית"):
            self.assertEqual(text, printable(text))

    def test_what_does_something_is_escaped(self) -> None:
        self.assertEqual("a\\x1b[2J\\x0a\\x09b", printable("a\x1b[2J\n\tb"))
        self.assertEqual("\\x7f\\x9b\\u202e\\u2066\\u2028", printable("\x7f\x9b\u202e\u2066\u2028"))


class WithoutPasswordsTests(SynchronousTestCase):
    def test_passwords_of_addresses(self) -> None:
        for text, wanted in {
            "no route to postgresql://wall:s3:cr/et@db/shop": "no route to postgresql://wall:…@db/shop",
            "redis://:s3cret@h and http://u:p@h/": "redis://:…@h and http://u:…@h/",
            "http://host:80/a@b": "http://host:80/a@b",
            "http://host:80/": "http://host:80/",
        }.items():
            self.assertEqual(wanted, without_passwords(text))
