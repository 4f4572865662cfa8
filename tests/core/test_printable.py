"""What others wrote does nothing to a terminal, and tells no password."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.printable import printable, without_passwords


class PrintableTests(SynchronousTestCase):
    def test_ordinary_texts_stay(self) -> None:
        for text in ("", "Käse 50 % – 🍰", "日本語", "עברית"):
            self.assertEqual(text, printable(text))

    def test_control_characters_are_escaped(self) -> None:
        self.assertEqual("a\\u001b[2J\\u000a\\u0009b", printable("a\x1b[2J\n\tb"))
        odd = "\x7f\x9b\u061c\u202e\u2066\u2028\ud800"
        self.assertEqual("\\u007f\\u009b\\u061c\\u202e\\u2066\\u2028\\ud800", printable(odd))

    def test_json_stays_the_same(self) -> None:
        every = "".join(map(chr, range(0xD800)))
        text = printable(json.dumps(every, ensure_ascii=False))
        self.assertEqual(every, json.loads(text))


class WithoutPasswordsTests(SynchronousTestCase):
    def test_passwords_of_addresses(self) -> None:
        for text, wanted in {
            "no route to postgresql://wall:s3:cr/et@db/shop": "no route to postgresql://wall:…@db/shop",
            "redis://:s3cret@h and http://u:p@h/": "redis://:…@h and http://u:…@h/",
            "http://host:80/a@b": "http://host:80/a@b",
            "http://host:80/": "http://host:80/",
            "http://host:80?mail=a@b": "http://host:80?mail=a@b",
            "mysql://root:1234@h/": "mysql://root:…@h/",
            "amqp://u:p@ss@w@h/": "amqp://u:…@h/",
            "postgresql://h/shop?user=u&password=s3cret&x=1": "postgresql://h/shop?user=u&password=…&x=1",
            "host=h password='s3 cret' user=u": "host=h password=… user=u",
            "GET /?token=s3cret: refused": "GET /?token=… refused",
            "sources.x.password: is missing": "sources.x.password: is missing",
        }.items():
            self.assertEqual(wanted, without_passwords(text))

    def test_a_long_text_takes_linear_time(self) -> None:
        """Seconds if it does not: each place where a password may begin looks for its end."""
        for part in ("://a:", "token='", 'pwd="'):
            text = part * 50_000
            self.assertLessEqual(len(without_passwords(text)), len(text))
