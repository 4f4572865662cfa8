"""The windows of a backfill: no day is cut in two, whatever the clock does in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.sources.backfills.spans import (
    DAY,
    LONGEST,
    PARTS,
    end_of_window,
    longer,
    midnight,
    shorter,
)
from tests.support.clock import machine_in

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
SIZES = [*PARTS, *(DAY * 2**n for n in range(7))]


class SpanTests(SynchronousTestCase):
    @given(st.sampled_from(ZONES), st.booleans(), st.integers(1, 10**9), st.sampled_from(SIZES))
    def test_a_window_lies_within_a_day_or_is_made_of_days(
        self, name: str, own: bool, begin: float, size: int
    ) -> None:
        zone = ZoneInfo(name)
        with machine_in(name):
            given = zone if not own else None
            end = end_of_window(begin, size, given)
            self.assertTrue(begin < end <= begin + max(size, DAY) + 3600)
            midnights = [midnight(each, given) for each in (begin, end)]
            if size >= DAY:
                self.assertEqual(end, midnights[1])
            else:
                self.assertTrue(midnights[0] == midnights[1] or end == midnights[1])
            at = datetime.fromtimestamp(midnights[0], zone)
            self.assertEqual((0, 0, 0), (at.hour, at.minute, at.second))

    def test_days_of_23_and_25_hours(self) -> None:
        for zone in ZoneInfo("Europe/Berlin"), None:
            with machine_in("Europe/Berlin"):
                for day, hours in (
                    (datetime(2026, 3, 28), [24, 23, 24]),
                    (datetime(2026, 10, 24), [24, 25, 24]),
                ):
                    ends = [day.replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()]
                    for _ in hours:
                        ends.append(end_of_window(ends[-1], DAY, zone))
                    self.assertEqual(hours, [(b - a) / 3600 for a, b in pairwise(ends)])

    def test_a_window_of_days_that_begins_within_a_day_ends_with_a_day(self) -> None:
        noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
        end = end_of_window(noon.timestamp(), 2 * DAY, ZoneInfo("UTC"))
        self.assertEqual(noon + timedelta(days=1, hours=12), datetime.fromtimestamp(end, UTC))

    def test_shorter_and_longer(self) -> None:
        sizes = [LONGEST]
        while (size := shorter(sizes[-1])) is not None:
            sizes.append(size)
        self.assertEqual([64 * DAY, 32 * DAY, 1], [sizes[0], sizes[1], sizes[-1]])
        self.assertEqual(sorted(sizes), [*dict.fromkeys(sorted(sizes))])
        for size, before in pairwise(reversed(sizes)):
            self.assertEqual(before, longer(size))
        self.assertEqual(LONGEST, longer(LONGEST))
        self.assertEqual((None, DAY), (shorter(DAY, DAY), shorter(3 * DAY, DAY)))
