"""Words, formats, days and moments, as the configuration writes them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.presentation import (
    FORMATS,
    OF_TIMES,
    OWN_UNIT,
    WHOLE,
    Currency,
    DateOrTime,
    Days,
    duration_text,
    time_text,
    word_of,
)
from tests.support.daemon import CHECKOUT


class FormatTests(SynchronousTestCase):
    def test_configuration_and_page_know_the_same_formats(self) -> None:
        text = (CHECKOUT / "web" / "text" / "values.js").read_text()
        [listed] = re.findall(r"^const FORMATS = \{(.*?)^\};", text, re.MULTILINE | re.DOTALL)
        self.assertEqual(FORMATS, tuple(re.findall(r"^  (\w+)", listed, re.MULTILINE)))

    def test_groups_of_formats_have_known_members(self) -> None:
        for group in (OF_TIMES, OWN_UNIT, WHOLE):
            self.assertTrue(group < set(FORMATS))


class CurrencyTests(SynchronousTestCase):
    def test_codes(self) -> None:
        self.assertEqual("EUR", Currency.parse("EUR"))
        for written in ("eur", "EURO", "€", "EUR\n", "", 1, None):
            error = self.assertRaises(ValueError, Currency.parse, written)
            self.assertIn('"EUR"', str(error))


class DaysTests(SynchronousTestCase):
    def test_whole_days(self) -> None:
        self.assertEqual((1, 7, 364), tuple(map(Days.parse, ("1d", "7d", "364d"))))
        self.assertEqual(7 * 86400.0, Days.parse("7d").seconds)

    def test_other_forms(self) -> None:
        for written in ("0d", "1.5d", "24h", "7", "-1d", " 1d", "1d\n", "99999d", 7, None, True):
            error = self.assertRaises(ValueError, Days.parse, written)
            self.assertIn('"7d"', str(error))


class MomentTests(SynchronousTestCase):
    def text(self, written: Any) -> str:
        return DateOrTime.parse(written).text

    def test_texts_and_times_of_toml(self) -> None:
        self.assertEqual("2026-12-31", self.text("2026-12-31"))
        self.assertEqual("2026-12-31", self.text(date(2026, 12, 31)))
        self.assertEqual("2026-12-31T18:00:00", self.text("2026-12-31T18:00"))
        self.assertEqual("2026-12-31T18:00:00", self.text(datetime(2026, 12, 31, 18)))
        self.assertEqual("2026-12-31T18:00:00+01:00", self.text("2026-12-31 18:00+01:00"))
        self.assertEqual("18:00:00", self.text("18:00"))
        self.assertEqual("00:00:00", self.text(time(0)))

    def test_other_forms(self) -> None:
        for written in ("", "soon", "2026", "18", "18:00+01:00", "2026-13-01", 5, None, True):
            error = self.assertRaises(ValueError, DateOrTime.parse, written)
            self.assertIn("2026-12-31T18:00", str(error))

    def before(self, begin: str, end: str) -> bool:
        return DateOrTime.parse(begin).is_before(DateOrTime.parse(end))

    def test_a_day_lasts_from_its_begin_to_its_end(self) -> None:
        self.assertTrue(self.before("2026-10-01", "2026-10-01"))
        self.assertTrue(self.before("2026-10-01T08:00", "2026-10-01"))
        self.assertTrue(self.before("9999-12-31", "9999-12-31"))
        self.assertFalse(self.before("2026-10-01", "2026-10-01T00:00"))
        self.assertFalse(self.before("2026-10-02", "2026-10-01"))

    def test_offsets_count(self) -> None:
        self.assertTrue(self.before("2026-10-01T08:00+02:00", "2026-10-01T07:00Z"))
        self.assertFalse(self.before("2026-10-01T08:00Z", "2026-10-01T09:00+02:00"))

    def test_times_of_every_day(self) -> None:
        self.assertTrue(self.before("08:00", "18:00"))
        self.assertFalse(self.before("18:00", "18:00"))

    def test_what_cannot_be_compared(self) -> None:
        for begin, end in (
            ("08:00", "2026-10-01"),
            ("2026-10-01", "08:00"),
            ("2026-10-01", "2026-12-31T18:00Z"),
            ("2026-10-01T08:00Z", "2026-12-31T18:00"),
        ):
            error = self.assertRaises(ValueError, self.before, begin, end)
            self.assertIn("the same form", str(error))


class TimeTextTests(SynchronousTestCase):
    def test_time_of_day_in_a_zone_with_its_date_after_a_day(self) -> None:
        zone = ZoneInfo("Asia/Tokyo")
        at = datetime(2026, 11, 27, 13, 32, tzinfo=UTC).timestamp()
        self.assertEqual("22:32", time_text(at, at + 86399, zone))
        self.assertEqual("2026-11-27 22:32", time_text(at, at + 86400, zone))
        here = datetime.fromtimestamp(at).strftime("%H:%M")
        self.assertEqual(here, time_text(at, at, None))


class WordTests(SynchronousTestCase):
    WORDS = {"0": "down", "0.5": "half", "-1": "gone", "true": "open", "ok": "fine", "null": "?"}

    def test_numbers_texts_true_and_false(self) -> None:
        for value, word in (
            (b"0", "down"),
            (b"0.0", "down"),
            (b"-0.0", "down"),
            (b"0.5", "half"),
            (b"-1", "gone"),
            (b"true", "open"),
            (b'"ok"', "fine"),
            (b'"0"', "down"),
        ):
            self.assertEqual(word, word_of(self.WORDS, value), value)

    def test_values_without_a_word(self) -> None:
        for value in (b"1", b"false", b'"True"', b"null", b"[0]", b'{"0":0}', b"1e308", b'""'):
            self.assertIsNone(word_of(self.WORDS, value), value)


class DurationTests(SynchronousTestCase):
    def test_two_largest_units(self) -> None:
        for seconds, text in (
            (0.5, "less than 1 s"),
            (40, "40 s"),
            (60, "1 min"),
            (3725, "1 h 2 min"),
            (2 * 86400 + 4 * 3600 + 5, "2 d 4 h"),
            (86400 + 59, "1 d"),
        ):
            self.assertEqual(text, duration_text(seconds))
